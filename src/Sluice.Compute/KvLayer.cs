namespace Sluice.Compute;

/// <summary>
/// The paged key-value cache of one layer: <see cref="BlockCount"/> blocks of <see cref="BlockSize"/> tokens.
/// Token <c>slot = block * BlockSize + offset</c>. How a block is laid out inside is the backend's own affair.
/// </summary>
/// <param name="Keys">Address of the key blocks.</param>
/// <param name="Values">Address of the value blocks.</param>
/// <param name="Type">Element type of the cache.</param>
/// <param name="BlockCount">Number of blocks.</param>
/// <param name="BlockSize">Tokens a block.</param>
/// <param name="Heads">Key-value heads.</param>
/// <param name="KeyDim">Elements of a key a head.</param>
/// <param name="ValueDim">Elements of a value a head.</param>
public readonly record struct KvLayer(
    nint Keys, nint Values, DType Type, int BlockCount, int BlockSize, int Heads, int KeyDim, int ValueDim);
