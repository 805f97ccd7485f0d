using System.Runtime.InteropServices;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Tests.Ops.Sampling;

/// <summary>Rows of logits and the row functions of both paths, for the tests of the sampling operations.</summary>
internal static unsafe class SamplingRows
{
    public static int Sample(bool simd, ReadOnlySpan<float> logits, SamplingRow row)
    {
        if (!simd)
        {
            return SampleTokensReference.Row(logits, row);
        }

        void* memory = NativeMemory.Alloc((nuint)RowScratch.SizeBytes(logits.Length));
        try
        {
            return SampleTokensSimd.Row(logits, row, new RowScratch(memory, logits.Length));
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }

    public static (int Rank, int[] Ids, float[] Logprobs) Top(bool simd, ReadOnlySpan<float> logits, int token, int count)
    {
        int[] ids = new int[1 + count];
        float[] logprobs = new float[1 + count];
        if (!simd)
        {
            return (TopLogprobsReference.Row(logits, token, ids, logprobs), ids, logprobs);
        }

        void* memory = NativeMemory.Alloc((nuint)RowScratch.SizeBytes(logits.Length));
        try
        {
            return (TopLogprobsSimd.Row(logits, token, ids, logprobs, new RowScratch(memory, logits.Length)), ids, logprobs);
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }

    /// <summary>Logits shaped like a language model's: a broad bell, a few that stand out, some equal.</summary>
    public static float[] Logits(int vocabulary, int seed, float spread = 2.5f)
    {
        var random = new Random(seed);
        float[] logits = new float[vocabulary];
        for (int i = 0; i < vocabulary; i++)
        {
            double bell = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            logits[i] = (float)Math.Round(bell * spread, 2);
        }

        for (int i = 0; i < Math.Min(8, vocabulary); i++)
        {
            logits[random.Next(vocabulary)] += 3 * spread;
        }

        return logits;
    }
}
