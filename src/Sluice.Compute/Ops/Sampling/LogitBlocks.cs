using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>Vectorised walks over a row of logits, block by block. Each element is treated the same wherever it stands.</summary>
internal static class LogitBlocks
{
    /// <summary>
    /// Writes the maximum of each block and returns that of the row: NaN when an element is NaN.
    /// </summary>
    public static float Maxima(ReadOnlySpan<float> logits, Span<float> maxima)
    {
        float max = float.NegativeInfinity;
        for (int block = 0, first = 0; first < logits.Length; block++, first += RowScratch.BlockSize)
        {
            float blockMax = first + RowScratch.BlockSize <= logits.Length
                ? Max(ref Unsafe.Add(ref MemoryMarshal.GetReference(logits), first))
                : MaxOfTail(logits[first..]);
            maxima[block] = blockMax;
            max = MathF.Max(max, blockMax);
        }

        return max;
    }

    /// <summary>The first position of a value that is the maximum of the row.</summary>
    public static int IndexOf(ReadOnlySpan<float> logits, ReadOnlySpan<float> maxima, float max)
    {
        int block = 0;
        while (maxima[block] != max)
        {
            block++;
        }

        int token = block * RowScratch.BlockSize;
        while (logits[token] != max)
        {
            token++;
        }

        return token;
    }

    /// <summary>Writes the sum of exp((logit - max) * scale) of each block and returns that of the row.</summary>
    public static double ExpSums(ReadOnlySpan<float> logits, float max, float scale, Span<double> sums)
    {
        Span<float> weights = stackalloc float[RowScratch.BlockSize];
        double total = 0;
        for (int block = 0, first = 0; first < logits.Length; block++, first += RowScratch.BlockSize)
        {
            int length = Math.Min(RowScratch.BlockSize, logits.Length - first);
            double sum = Exp(logits.Slice(first, length), max, scale, weights);
            sums[block] = sum;
            total += sum;
        }

        return total;
    }

    /// <summary>
    /// Adds each weight exp((logit - max) * scale) to the bin (max - logit) * binsPerUnit, if there is one, and returns their sum.
    /// </summary>
    public static double ExpHistogram(
        ReadOnlySpan<float> logits, float max, float scale, float binsPerUnit, ReadOnlySpan<float> maxima, Span<double> bins)
    {
        Span<float> weights = stackalloc float[RowScratch.BlockSize];
        double total = 0;
        for (int block = 0, first = 0; first < logits.Length; block++, first += RowScratch.BlockSize)
        {
            ReadOnlySpan<float> part = logits[first..Math.Min(first + RowScratch.BlockSize, logits.Length)];
            total += Exp(part, max, scale, weights);
            if ((max - maxima[block]) * binsPerUnit >= bins.Length)
            {
                continue;
            }

            for (int i = 0; i < part.Length; i++)
            {
                float bin = (max - part[i]) * binsPerUnit;
                if (bin < bins.Length)
                {
                    bins[(int)bin] += weights[i];
                }
            }
        }

        return total;
    }

    /// <summary>
    /// weights[i] = exp((logits[i] - max) * scale); returns their sum. The two spans may be the same.
    /// </summary>
    public static float Exp(ReadOnlySpan<float> logits, float max, float scale, Span<float> weights)
    {
        Vector256<float> sum = Vector256<float>.Zero;
        ref float source = ref MemoryMarshal.GetReference(logits);
        ref float destination = ref MemoryMarshal.GetReference(weights);
        int i = 0;
        for (; i <= logits.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> x = Vector256.LoadUnsafe(ref source, (nuint)i);
            Vector256<float> weight = VectorMath.Exp((x - Vector256.Create(max)) * Vector256.Create(scale));
            weight.StoreUnsafe(ref destination, (nuint)i);
            sum += weight;
        }

        if (i < logits.Length)
        {
            // The same vector function for the rest, so that a logit's weight does not depend on where the row ends.
            Span<float> padded = stackalloc float[Vector256<float>.Count];
            padded.Fill(float.NegativeInfinity);
            logits[i..].CopyTo(padded);
            Vector256<float> x = Vector256.Create<float>(padded);
            Vector256<float> weight = VectorMath.Exp((x - Vector256.Create(max)) * Vector256.Create(scale));
            Span<float> computed = stackalloc float[Vector256<float>.Count];
            weight.CopyTo(computed);
            computed[..(logits.Length - i)].CopyTo(weights[i..]);
            sum += weight;
        }

        return Vector256.Sum(sum);
    }

    /// <summary>
    /// Collects the logits that are at least <paramref name="threshold"/>, in the order of their ids.
    /// </summary>
    /// <returns>How many.</returns>
    public static int Gather(ReadOnlySpan<float> logits, float threshold, in RowScratch scratch)
    {
        Span<uint> keys = scratch.Keys;
        Span<int> ids = scratch.Ids;
        Span<float> maxima = scratch.BlockMaxima;
        int count = 0;
        for (int block = 0, first = 0; first < logits.Length; block++, first += RowScratch.BlockSize)
        {
            if (maxima[block] < threshold)
            {
                continue;
            }

            int end = Math.Min(first + RowScratch.BlockSize, logits.Length);
            for (int token = first; token < end; token++)
            {
                float logit = logits[token];
                if (logit >= threshold)
                {
                    keys[count] = Key(logit);
                    ids[count++] = token;
                }
            }
        }

        return count;
    }

    /// <summary>An integer that orders as the float does; the two zeros are one.</summary>
    public static uint Key(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
    }

    /// <summary>The float of a <see cref="Key"/>.</summary>
    public static float Value(uint key) =>
        BitConverter.UInt32BitsToSingle((key & 0x8000_0000) != 0 ? key & 0x7FFF_FFFF : ~key);

    private static float Max(ref float block)
    {
        Vector256<float> a = Vector256.LoadUnsafe(ref block);
        Vector256<float> b = Vector256.LoadUnsafe(ref block, 8);
        for (nuint i = 16; i < RowScratch.BlockSize; i += 16)
        {
            a = Vector256.Max(a, Vector256.LoadUnsafe(ref block, i));
            b = Vector256.Max(b, Vector256.LoadUnsafe(ref block, i + 8));
        }

        a = Vector256.Max(a, b);
        Vector128<float> c = Vector128.Max(a.GetLower(), a.GetUpper());
        c = Vector128.Max(c, Vector128.Shuffle(c, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(c[0], c[1]);
    }

    private static float MaxOfTail(ReadOnlySpan<float> tail)
    {
        float max = float.NegativeInfinity;
        foreach (float value in tail)
        {
            max = MathF.Max(max, value);
        }

        return max;
    }
}
