using System.Runtime.InteropServices;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// How <see cref="IBackend.SampleTokens"/> chooses the token of one row. The layout is the device's: twelve 32-bit words, so an
/// int32 tensor [rows, 12] holds one a row.
/// </summary>
/// <param name="Temperature">Divides the logits; 0 for the most likely token.</param>
/// <param name="MinP">Least probability relative to the most likely token's; 0 for none.</param>
/// <param name="TopK">Most likely tokens kept; 0 for all.</param>
/// <param name="TopP">Least mass kept of the most likely tokens; 1 for all.</param>
/// <param name="SeedLow">Key of the random numbers, lower half.</param>
/// <param name="SeedHigh">Key of the random numbers, upper half.</param>
/// <param name="Counter">Which random number of the key: the index of the token in its completion.</param>
/// <param name="Slot">Column of the last-sampled tensor that the token goes to; -1 for none.</param>
/// <param name="CountRow">Row of the count tensor where the token is counted as generated; -1 for none.</param>
[StructLayout(LayoutKind.Sequential, Size = Words * 4)]
public readonly record struct SamplingRow(
    float Temperature, float MinP, int TopK, float TopP, uint SeedLow, uint SeedHigh, uint Counter, int Slot, int CountRow)
{
    /// <summary>Size in 32-bit words.</summary>
    public const int Words = 12;

    /// <summary>Instead of a token: a logit was NaN or positive infinity.</summary>
    public const int NotFinite = -1;

    /// <summary>Instead of a token: every logit was negative infinity.</summary>
    public const int NothingPossible = -2;
}
