using System.Runtime.InteropServices;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// What <see cref="IBackend.AdjustLogits"/> does to one row of logits. The layout is the device's: eight 32-bit words, so an
/// int32 tensor [rows, 8] holds one a row.
/// </summary>
/// <param name="MaskRow">Row of the mask tensor with the tokens that stay possible; -1 for all.</param>
/// <param name="CountRow">Row of the count tensor that the penalties look at; -1 for no penalties.</param>
/// <param name="EditStart">First of the row's entries in the edit tensor.</param>
/// <param name="EditCount">Number of the row's entries.</param>
/// <param name="Repetition">Divides positive and multiplies other logits of tokens that were seen; 1 for none.</param>
/// <param name="Frequency">Subtracted once for each time that the token was generated.</param>
/// <param name="Presence">Subtracted once when the token was generated.</param>
[StructLayout(LayoutKind.Sequential, Size = Words * 4)]
public readonly record struct LogitRow(
    int MaskRow, int CountRow, int EditStart, int EditCount, float Repetition, float Frequency, float Presence)
{
    /// <summary>Size in 32-bit words.</summary>
    public const int Words = 8;
}

/// <summary>A value added to the logit of one token; negative infinity forbids it. Two 32-bit words.</summary>
/// <param name="TokenId">The token.</param>
/// <param name="Value">What is added.</param>
[StructLayout(LayoutKind.Sequential, Size = Words * 4)]
public readonly record struct LogitEdit(int TokenId, float Value)
{
    /// <summary>Size in 32-bit words.</summary>
    public const int Words = 2;
}

/// <summary>
/// An element of the count tensor, int32 [sequences, vocabulary]: how often a token was generated, and in the sign bit whether
/// it stands in the prompt.
/// </summary>
public static class TokenCount
{
    /// <summary>The token stands in the prompt.</summary>
    public const int InPrompt = int.MinValue;

    /// <summary>Bits of the number of times that the token was generated.</summary>
    public const int GeneratedMask = int.MaxValue;
}
