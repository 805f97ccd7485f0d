namespace Sluice.KvCache;

/// <summary>
/// Hands out the blocks of the KV cache. A block is free (no owner) or used (one owner, or several when it is a full
/// block of a shared prefix). Free blocks form one list in the order in which they will be taken: first those that the prefix
/// cache does not know, then the cached ones, least recently used first. A cached block is forgotten only when it is taken.
/// Everything is O(1) a block; used by the engine loop only.
/// </summary>
internal sealed class BlockPool
{
    private readonly PrefixCache? _cache;
    private readonly int[] _references;

    // Doubly linked free list; entry _references.Length is the head that closes the ring.
    private readonly int[] _next;
    private readonly int[] _previous;

    public BlockPool(int blockCount, PrefixCache? cache)
    {
        _cache = cache;
        _references = new int[blockCount];
        _next = new int[blockCount + 1];
        _previous = new int[blockCount + 1];
        FreeCount = blockCount;
        for (int i = 0; i <= blockCount; i++)
        {
            _next[i] = i == blockCount ? 0 : i + 1;
            _previous[i] = i == 0 ? blockCount : i - 1;
        }
    }

    /// <summary>All blocks.</summary>
    public int TotalCount => _references.Length;

    /// <summary>Blocks without an owner, those that the prefix cache can still find included.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Blocks with an owner.</summary>
    public int UsedCount => TotalCount - FreeCount;

    /// <summary>Owners of a block.</summary>
    public int References(int block) => _references[block];

    /// <summary>Appends new blocks to a table; nothing happens when there are not enough.</summary>
    public bool TryAllocate(int count, BlockTable table)
    {
        if (count > FreeCount)
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            int block = _next[TotalCount];
            Unlink(block);
            _cache?.Remove(block);
            _references[block] = 1;
            table.Add(block);
        }

        return true;
    }

    /// <summary>Appends a block that the prefix cache found to a table.</summary>
    public void Share(int block, BlockTable table)
    {
        if (_references[block]++ == 0)
        {
            Unlink(block);
        }

        table.Add(block);
    }

    /// <summary>
    /// Gives up all blocks of a table, last first, so that the tail of a prefix is evicted before its beginning.
    /// </summary>
    public void Release(BlockTable table)
    {
        for (int i = table.Count - 1; i >= 0; i--)
        {
            int block = table[i];
            if (_references[block] <= 0)
            {
                throw new InvalidOperationException($"Block {block} was released without an owner.");
            }

            if (--_references[block] == 0)
            {
                bool keep = _cache is not null && _cache.Contains(block);
                LinkBefore(keep ? TotalCount : _next[TotalCount], block);
            }
        }

        table.Clear();
    }

    /// <summary>Walks everything; throws when the free list and the reference counts disagree.</summary>
    public void CheckConsistency()
    {
        int linked = 0;
        for (int block = _next[TotalCount]; block != TotalCount; block = _next[block])
        {
            if (_references[block] != 0 || _previous[_next[block]] != block || ++linked > TotalCount)
            {
                throw new InvalidOperationException($"The free list is broken at block {block}.");
            }
        }

        int used = 0;
        foreach (int references in _references)
        {
            used += references > 0 ? 1 : 0;
        }

        if (linked != FreeCount || linked + used != TotalCount)
        {
            throw new InvalidOperationException($"Blocks: {linked} linked, {FreeCount} free, {used} used, {TotalCount} in all.");
        }
    }

    private void Unlink(int block)
    {
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
        FreeCount--;
    }

    private void LinkBefore(int successor, int block)
    {
        int predecessor = _previous[successor];
        _next[predecessor] = block;
        _previous[block] = predecessor;
        _next[block] = successor;
        _previous[successor] = block;
        FreeCount++;
    }
}
