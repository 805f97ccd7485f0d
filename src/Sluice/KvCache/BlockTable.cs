namespace Sluice.KvCache;

/// <summary>The blocks of one sequence in the order of its tokens. Owned by the sequence, changed by <see cref="BlockPool"/>.</summary>
internal sealed class BlockTable
{
    private int[] _blocks = [];

    /// <summary>Blocks held.</summary>
    public int Count { get; private set; }

    /// <summary>Block numbers; entry i holds tokens i * blockSize and on.</summary>
    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    public int this[int index] => Blocks[index];

    public void Add(int block)
    {
        if (Count == _blocks.Length)
        {
            Array.Resize(ref _blocks, Math.Max(8, Count * 2));
        }

        _blocks[Count++] = block;
    }

    public void Clear() => Count = 0;
}
