using Sluice.KvCache;

namespace Sluice.Tests.KvCache;

public sealed class PrefixCacheTests
{
    private readonly PrefixCache _cache = new(8, 2, new SipHash128(1, 2));

    [Fact]
    public void Find_SameTokensAndParent_Hits()
    {
        UInt128 root = _cache.RootKey(null);
        UInt128 key = _cache.Key(root, [1, 2]);
        _cache.Add(5, key, root, [1, 2]);
        Assert.Equal(5, _cache.Find(key, root, [1, 2]));
    }

    [Fact]
    public void Find_CollidingKey_ComparesTokensAndParent()
    {
        UInt128 root = _cache.RootKey(null);
        UInt128 key = _cache.Key(root, [1, 2]);
        _cache.Add(5, key, root, [1, 2]);
        Assert.Equal(-1, _cache.Find(key, root, [1, 3]));
        Assert.Equal(-1, _cache.Find(key, root + 1, [1, 2]));
    }

    [Fact]
    public void RootKey_Salts_SeparateTenants()
    {
        UInt128[] roots = [_cache.RootKey(null), _cache.RootKey(""), _cache.RootKey("a"), _cache.RootKey("b")];
        Assert.Equal(4, roots.Distinct().Count());
        Assert.Equal(_cache.RootKey("a"), _cache.RootKey("a"));
    }

    [Fact]
    public void Add_EqualBlock_KeepsTheFirst()
    {
        UInt128 root = _cache.RootKey(null);
        UInt128 key = _cache.Key(root, [1, 2]);
        _cache.Add(3, key, root, [1, 2]);
        _cache.Add(4, key, root, [1, 2]);
        Assert.Equal(3, _cache.Find(key, root, [1, 2]));
        Assert.False(_cache.Contains(4));
        _cache.Remove(4);
        Assert.True(_cache.Contains(3));
        _cache.Remove(3);
        Assert.Equal(0, _cache.Count);
    }
}
