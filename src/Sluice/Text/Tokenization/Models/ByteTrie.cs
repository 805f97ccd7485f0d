namespace Sluice.Text.Tokenization.Models;

/// <summary>A trie over bytes whose edges lie in one hash table.</summary>
internal sealed class ByteTrie
{
    public const int Root = 0;

    private readonly List<int> _tokenAt = [-1];
    private long[] _edges = new long[1024];
    private int _edgeCount;

    public void Add(ReadOnlySpan<byte> text, int token)
    {
        int node = Root;
        foreach (byte value in text)
        {
            int next = Step(node, value);
            if (next < 0)
            {
                next = _tokenAt.Count;
                _tokenAt.Add(-1);
                AddEdge(node, value, next);
            }

            node = next;
        }

        _tokenAt[node] = token;
    }

    /// <summary>The child of a node by a byte; -1 if there is none.</summary>
    public int Step(int node, byte value)
    {
        long key = ((long)node << 8) | value;
        for (uint index = Hash(key); ; index = (index + 1) & ((uint)_edges.Length - 1))
        {
            long edge = _edges[index];
            if (edge == 0)
            {
                return -1;
            }

            // An edge is its key (24 bits of node, 8 of value) and its target (never the root, so never 0).
            if (edge >> 32 == key)
            {
                return (int)(edge & 0xFFFFFFFF);
            }
        }
    }

    public int TokenAt(int node) => _tokenAt[node];

    private uint Hash(long key) => ByteHash.OfPair((ulong)key) & ((uint)_edges.Length - 1);

    private void AddEdge(int node, byte value, int target)
    {
        if (node >= 1 << 23)
        {
            throw new FormatException("the vocabulary is too large (more than 8 million distinct beginnings of tokens)");
        }

        if (++_edgeCount * 2 > _edges.Length)
        {
            long[] old = _edges;
            _edges = new long[old.Length * 2];
            foreach (long edge in old)
            {
                if (edge != 0)
                {
                    Insert(edge);
                }
            }
        }

        Insert((((long)node << 8 | value) << 32) | (uint)target);
    }

    private void Insert(long edge)
    {
        uint index = Hash(edge >> 32);
        while (_edges[index] != 0)
        {
            index = (index + 1) & ((uint)_edges.Length - 1);
        }

        _edges[index] = edge;
    }
}
