using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Sluice.KvCache;

/// <summary>
/// Which full blocks hold the keys and values of which token prefixes. A block's key is a keyed 128-bit hash over the key of
/// the block before it and its own tokens; the first block's parent is the key of the salt. The tokens are kept and compared
/// on a hit, so that equal hashes of different prompts never mix. Used by the engine loop only.
/// </summary>
internal sealed class PrefixCache
{
    private readonly SipHash128 _hash;
    private readonly Dictionary<UInt128, int> _blockOfKey = [];
    private readonly UInt128[] _keys;
    private readonly UInt128[] _parents;
    private readonly bool[] _cached;
    private readonly int[] _tokens; // [blocks, blockSize]
    private readonly byte[] _buffer;

    public PrefixCache(int blockCount, int blockSize, SipHash128 hash)
    {
        _hash = hash;
        BlockSize = blockSize;
        _keys = new UInt128[blockCount];
        _parents = new UInt128[blockCount];
        _cached = new bool[blockCount];
        _tokens = new int[(long)blockCount * blockSize];
        _buffer = new byte[16 + (blockSize * sizeof(int))];
    }

    /// <summary>Tokens a block.</summary>
    public int BlockSize { get; }

    /// <summary>Blocks that can be found.</summary>
    public int Count => _blockOfKey.Count;

    /// <summary>Parent key of the first block of prompts with this salt.</summary>
    public UInt128 RootKey(string? salt) =>
        salt is null ? UInt128.Zero : _hash.Compute(Encoding.UTF8.GetBytes(salt));

    /// <summary>Key of a full block that follows the block with key <paramref name="parent"/>.</summary>
    public UInt128 Key(UInt128 parent, ReadOnlySpan<int> tokens)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(_buffer, parent);
        MemoryMarshal.AsBytes(tokens).CopyTo(_buffer.AsSpan(16));
        return _hash.Compute(_buffer);
    }

    /// <summary>The block that holds these tokens after that parent, or -1.</summary>
    public int Find(UInt128 key, UInt128 parent, ReadOnlySpan<int> tokens) =>
        _blockOfKey.TryGetValue(key, out int block) && _parents[block] == parent && TokensOf(block).SequenceEqual(tokens)
            ? block
            : -1;

    /// <summary>
    /// Makes a full block findable. The first of equal blocks stays the findable one: the others are freed with their sequence.
    /// </summary>
    public void Add(int block, UInt128 key, UInt128 parent, ReadOnlySpan<int> tokens)
    {
        if (_cached[block] || !_blockOfKey.TryAdd(key, block))
        {
            return;
        }

        _cached[block] = true;
        _keys[block] = key;
        _parents[block] = parent;
        tokens.CopyTo(TokensOf(block));
    }

    /// <summary>True when the block can be found.</summary>
    public bool Contains(int block) => _cached[block];

    /// <summary>Forgets a block whose memory is about to be written anew.</summary>
    public void Remove(int block)
    {
        if (_cached[block])
        {
            _cached[block] = false;
            _blockOfKey.Remove(_keys[block]);
        }
    }

    private Span<int> TokensOf(int block) => _tokens.AsSpan(block * BlockSize, BlockSize);
}
