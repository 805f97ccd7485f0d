using Sluice.KvCache;

namespace Sluice.Tests.KvCache;

public sealed class BlockPoolTests
{
    [Fact]
    public void TryAllocate_MoreThanFree_TakesNothing()
    {
        var pool = new BlockPool(3, null);
        var table = new BlockTable();
        Assert.False(pool.TryAllocate(4, table));
        Assert.Equal(0, table.Count);
        Assert.True(pool.TryAllocate(3, table));
        Assert.Equal([0, 1, 2], table.Blocks.ToArray());
        Assert.Equal(0, pool.FreeCount);
        pool.CheckConsistency();
    }

    [Fact]
    public void Release_CachedBlocks_AreEvictedLastAndTailFirst()
    {
        PrefixCache cache = NewCache(4);
        var pool = new BlockPool(4, cache);
        var table = new BlockTable();
        pool.TryAllocate(3, table);
        AddChain(cache, table, 2); // block 2 stays unknown
        pool.Release(table);
        Assert.Equal(4, pool.FreeCount);
        Assert.Equal(2, cache.Count);

        var next = new BlockTable();
        pool.TryAllocate(4, next);
        Assert.Equal([2, 3, 1, 0], next.Blocks.ToArray());
        Assert.Equal(0, cache.Count);
        pool.CheckConsistency();
    }

    [Fact]
    public void Share_FreeCachedBlock_TakesItFromTheFreeList()
    {
        PrefixCache cache = NewCache(4);
        var pool = new BlockPool(4, cache);
        var first = new BlockTable();
        pool.TryAllocate(1, first);
        AddChain(cache, first, 1);
        pool.Release(first);

        var second = new BlockTable();
        var third = new BlockTable();
        pool.Share(0, second);
        pool.Share(0, third);
        Assert.Equal(2, pool.References(0));
        Assert.Equal(3, pool.FreeCount);
        pool.Release(second);
        Assert.Equal(3, pool.FreeCount);
        pool.Release(third);
        Assert.Equal(4, pool.FreeCount);
        pool.CheckConsistency();
    }

    [Fact]
    public void Release_BlockWithoutOwner_Throws()
    {
        var pool = new BlockPool(2, null);
        var table = new BlockTable();
        table.Add(1);
        Assert.Throws<InvalidOperationException>(() => pool.Release(table));
    }

    private static PrefixCache NewCache(int blocks) => new(blocks, 2, new SipHash128(1, 2));

    private static void AddChain(PrefixCache cache, BlockTable table, int count)
    {
        UInt128 parent = cache.RootKey(null);
        for (int i = 0; i < count; i++)
        {
            UInt128 key = cache.Key(parent, [i, i]);
            cache.Add(table[i], key, parent, [i, i]);
            parent = key;
        }
    }
}
