namespace Sluice.Compute;

/// <summary>
/// The paged key-value cache of one layer: <see cref="BlockCount"/> blocks of <see cref="BlockSize"/> tokens.
/// Token <c>slot = block * BlockSize + offset</c>. How a block is laid out inside is the backend's own affair.
/// </summary>
/// <param name="Keys">Address of the key blocks, which follow each other.</param>
/// <param name="Values">Address of the value blocks, which follow each other.</param>
/// <param name="Type">Element type of the cache.</param>
/// <param name="BlockCount">Number of blocks.</param>
/// <param name="BlockSize">Tokens a block.</param>
/// <param name="Heads">Key-value heads.</param>
/// <param name="KeyDim">Elements of a key a head.</param>
/// <param name="ValueDim">Elements of a value a head.</param>
public readonly record struct KvLayer(
    nint Keys, nint Values, DType Type, int BlockCount, int BlockSize, int Heads, int KeyDim, int ValueDim)
{
    private readonly long _keyPaddingBytes;
    private readonly long _valuePaddingBytes;

    /// <summary>
    /// True when a value is the first <see cref="ValueDim"/> elements of its key, and is stored nowhere else; <see cref="Values"/> is
    /// then not an address.
    /// </summary>
    public bool ValuesInKeys { get; init; }

    /// <summary>Bytes of the keys of a block, with padding where the backend's layout has some.</summary>
    public long KeyBlockBytes
    {
        get => ((long)BlockSize * Heads * KeyDim * Type.SizeBytes()) + _keyPaddingBytes;
        init => _keyPaddingBytes = value - ((long)BlockSize * Heads * KeyDim * Type.SizeBytes());
    }

    /// <summary>Bytes of the values of a block, with padding where the backend's layout has some.</summary>
    public long ValueBlockBytes
    {
        get => ValuesInKeys ? 0 : ((long)BlockSize * Heads * ValueDim * Type.SizeBytes()) + _valuePaddingBytes;
        init => _valuePaddingBytes = value - ((long)BlockSize * Heads * ValueDim * Type.SizeBytes());
    }

    /// <summary>Bytes of a block, keys and values.</summary>
    public long BlockBytes => KeyBlockBytes + ValueBlockBytes;
}
