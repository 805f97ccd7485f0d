namespace Sluice.Compute.Ops.Sampling;

/// <summary>One row of <see cref="IBackend.TopLogprobs"/>: two passes over the logits, then only candidates for the top.</summary>
internal static class TopLogprobsSimd
{
    /// <summary>As <see cref="TopLogprobsReference.Row"/>, with memory to work in.</summary>
    public static int Row(ReadOnlySpan<float> logits, int token, Span<int> ids, Span<float> logprobs, in RowScratch scratch)
    {
        if (token < 0)
        {
            return 0;
        }

        float max = LogitBlocks.Maxima(logits, scratch.BlockMaxima);
        if (!float.IsFinite(max))
        {
            ids.Fill(token);
            logprobs.Fill(float.NaN);
            return 0;
        }

        double normalizer = max + Math.Log(LogitBlocks.ExpSums(logits, max, 1, scratch.BlockSums));
        ids[0] = token;
        logprobs[0] = (float)(logits[token] - normalizer);
        if (ids.Length > 1)
        {
            Top(logits, normalizer, ids[1..], logprobs[1..], scratch);
        }

        return Rank(logits, logits[token], scratch.BlockMaxima);
    }

    private static void Top(
        ReadOnlySpan<float> logits, double normalizer, Span<int> ids, Span<float> logprobs, in RowScratch scratch)
    {
        int count = LogitBlocks.Gather(logits, SampleTokensSimd.TopKBound(ids.Length, scratch), scratch);
        count = RadixSelect.KeepLargest(scratch, count, ids.Length);
        Span<ulong> pairs = scratch.Pairs[..count];
        for (int i = 0; i < count; i++)
        {
            pairs[i] = ((ulong)~scratch.Keys[i] << 32) | (uint)scratch.Ids[i];
        }

        pairs.Sort();
        for (int i = 0; i < count; i++)
        {
            ids[i] = (int)(uint)pairs[i];
            logprobs[i] = (float)(LogitBlocks.Value(~(uint)(pairs[i] >> 32)) - normalizer);
        }
    }

    private static int Rank(ReadOnlySpan<float> logits, float logit, ReadOnlySpan<float> maxima)
    {
        int rank = 0;
        for (int block = 0, first = 0; first < logits.Length; block++, first += RowScratch.BlockSize)
        {
            if (maxima[block] < logit)
            {
                continue;
            }

            foreach (float other in logits[first..Math.Min(first + RowScratch.BlockSize, logits.Length)])
            {
                rank += other >= logit ? 1 : 0;
            }
        }

        return rank;
    }
}
