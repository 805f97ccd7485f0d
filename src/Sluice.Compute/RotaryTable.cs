namespace Sluice.Compute;

/// <summary>
/// Cosines and sines of a rotary embedding for every position, with the attention factor of YaRN and its like multiplied in.
/// </summary>
/// <param name="Cosines">float32 [positions, rotaryDim / 2].</param>
/// <param name="Sines">float32 [positions, rotaryDim / 2].</param>
/// <param name="RotaryDim">Elements of a head that are rotated; the rest pass through.</param>
public readonly record struct RotaryTable(Tensor Cosines, Tensor Sines, int RotaryDim)
{
    /// <summary>The first rotated element of a head.</summary>
    public int FirstElement { get; init; }

    /// <summary>Pairs are neighbours, elements 2i and 2i + 1; else element i turns with element i + RotaryDim / 2.</summary>
    public bool IsInterleaved { get; init; }
}
