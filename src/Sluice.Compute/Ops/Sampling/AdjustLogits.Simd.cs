using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// One row of <see cref="IBackend.AdjustLogits"/>. Both dense inputs are sparse in content, so whole words and vectors
/// that change nothing are skipped; what is changed is changed by the reference's own arithmetic.
/// </summary>
internal static class AdjustLogitsSimd
{
    /// <inheritdoc cref="AdjustLogitsReference.Row"/>
    public static void Row(
        Span<float> logits, in LogitRow row, ReadOnlySpan<int> mask, ReadOnlySpan<LogitEdit> edits, ReadOnlySpan<int> counts)
    {
        if (!mask.IsEmpty)
        {
            Mask(logits, mask);
        }

        foreach (LogitEdit edit in edits)
        {
            logits[edit.TokenId] += edit.Value;
        }

        if (!counts.IsEmpty)
        {
            Penalize(logits, row, counts);
        }
    }

    private static void Mask(Span<float> logits, ReadOnlySpan<int> mask)
    {
        const int WordBits = 32;
        for (int word = 0, first = 0; first < logits.Length; word++, first += WordBits)
        {
            int allowed = mask[word];
            if (allowed == -1)
            {
                continue;
            }

            Span<float> part = logits[first..Math.Min(first + WordBits, logits.Length)];
            if (allowed == 0)
            {
                part.Fill(float.NegativeInfinity);
                continue;
            }

            for (int bit = 0; bit < part.Length; bit++)
            {
                if (((allowed >> bit) & 1) == 0)
                {
                    part[bit] = float.NegativeInfinity;
                }
            }
        }
    }

    private static void Penalize(Span<float> logits, in LogitRow row, ReadOnlySpan<int> counts)
    {
        ref int first = ref MemoryMarshal.GetReference(counts);
        int token = 0;
        for (; token <= logits.Length - Vector256<int>.Count; token += Vector256<int>.Count)
        {
            if (Vector256.LoadUnsafe(ref first, (nuint)token) == Vector256<int>.Zero)
            {
                continue;
            }

            for (int i = token; i < token + Vector256<int>.Count; i++)
            {
                AdjustLogitsReference.Penalize(ref logits[i], row, counts[i]);
            }
        }

        for (; token < logits.Length; token++)
        {
            AdjustLogitsReference.Penalize(ref logits[token], row, counts[token]);
        }
    }
}
