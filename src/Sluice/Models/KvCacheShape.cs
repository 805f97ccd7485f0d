namespace Sluice.Models;

/// <summary>What a layer's cache holds of a token.</summary>
/// <param name="Heads">Key-value heads.</param>
/// <param name="KeyDim">Elements of a key a head.</param>
/// <param name="ValueDim">Elements of a value a head.</param>
/// <param name="ValuesInKeys">A value is the beginning of its key and not stored apart.</param>
internal readonly record struct KvCacheShape(int Heads, int KeyDim, int ValueDim, bool ValuesInKeys)
{
    /// <summary>Elements of a token in a layer.</summary>
    public long ElementsPerToken => (long)Heads * (KeyDim + (ValuesInKeys ? 0 : ValueDim));
}
