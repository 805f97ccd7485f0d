using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// The layout of the paged cache: what attention multiplies with is laid out as panels of the linear layer's tiles
/// (<see cref="IPanelFormat"/>), so that scores and weighted sums run on the same kernels.
/// Keys, for each block and head: panels of 16 tokens by keyDim, a panel's "features" being tokens.
/// Values, for each block and head: panels of 16 value elements by the block's tokens, a panel's k being tokens.
/// Lanes beyond the block size or the value width are padding. Values inside of keys have no panels: attention turns the keys' panels.
/// </summary>
internal readonly unsafe struct KvLayout
{
    private const int Lanes = PackedWeight.PanelRows;

    public KvLayout(KvLayer layer)
        : this(layer.BlockSize, layer.Heads, layer.KeyDim, layer.ValueDim, layer.Type, layer.ValuesInKeys)
    {
        Keys = (byte*)layer.Keys;
        Values = (byte*)layer.Values;
    }

    public KvLayout(int blockSize, int heads, int keyDim, int valueDim, DType type, bool valuesInKeys = false)
    {
        ValuesInKeys = valuesInKeys;
        Type = type;
        BlockSize = blockSize;
        KeyPanelBytes = PackedWeight.PanelBytes(keyDim, type);
        ValuePanelBytes = PackedWeight.PanelBytes(blockSize, type);
        ValuePanels = PackedWeight.PanelCount(valueDim);
        KeyHeadBytes = PackedWeight.PanelCount(blockSize) * KeyPanelBytes;
        ValueHeadBytes = ValuePanels * ValuePanelBytes;
        KeyBlockBytes = KeyHeadBytes * heads;
        ValueBlockBytes = valuesInKeys ? 0 : ValueHeadBytes * heads;
    }

    public bool ValuesInKeys { get; }

    public byte* Keys { get; }

    public byte* Values { get; }

    public DType Type { get; }

    public int BlockSize { get; }

    /// <summary>Bytes of 16 tokens' keys of a head.</summary>
    public long KeyPanelBytes { get; }

    /// <summary>Bytes of 16 value elements of a block's tokens.</summary>
    public long ValuePanelBytes { get; }

    public int ValuePanels { get; }

    public long KeyHeadBytes { get; }

    public long ValueHeadBytes { get; }

    public long KeyBlockBytes { get; }

    public long ValueBlockBytes { get; }

    /// <summary>Panel with the keys of 16 tokens from <paramref name="offset"/>, a multiple of 16.</summary>
    public byte* KeyPanel(int block, int head, int offset)
        => Keys + (block * KeyBlockBytes) + (head * KeyHeadBytes) + (offset / Lanes * KeyPanelBytes);

    /// <summary>First value panel of a block and head, from token <paramref name="offset"/>, which is even.</summary>
    public byte* ValuePanel(int block, int head, int offset)
        => Values + (block * ValueBlockBytes) + (head * ValueHeadBytes) + (offset / 2 * (long)PackedWeight.PairBytes(Type));

    /// <summary>One element of a key.</summary>
    public byte* KeyElement(int block, int head, int offset, int element)
        => KeyPanel(block, head, offset) + PackedWeight.OffsetOf(offset % Lanes, element, int.MaxValue, Type);

    /// <summary>One element of a value.</summary>
    public byte* ValueElement(int block, int head, int offset, int element)
        => ValuesInKeys
            ? KeyElement(block, head, offset, element)
            : ValuePanel(block, head, 0) + (element / Lanes * ValuePanelBytes)
                + PackedWeight.OffsetOf(element % Lanes, offset, int.MaxValue, Type);
}
