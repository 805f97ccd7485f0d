namespace Sluice.Compute.Ops.Sampling;

/// <summary>One row of <see cref="IBackend.TopLogprobs"/>, written as its definition: sorts everything, in double precision.</summary>
internal static class TopLogprobsReference
{
    /// <inheritdoc cref="IBackend.TopLogprobs"/>
    public static void Run(Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds)
    {
        for (int i = 0; i < logits.Rows; i++)
        {
            SamplingTensors.Row<int>(ranks, 0)[i] = Row(
                SamplingTensors.Row<float>(logits, i),
                SamplingTensors.Row<int>(tokenIds, 0)[i],
                SamplingTensors.Row<int>(ids, i),
                SamplingTensors.Row<float>(logprobs, i));
        }
    }

    /// <summary>
    /// Returns the rank of the given token: how many have a logit that is not smaller. In a row with NaN or positive infinity
    /// all logprobs are NaN and the rank is 0.
    /// </summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="token">The token that stands at this position; nothing is written when it is negative.</param>
    /// <param name="ids">[1 + top]: the token, and the most likely ones in falling order, ties by the lower id.</param>
    /// <param name="logprobs">[1 + top]: their logprobs.</param>
    public static int Row(ReadOnlySpan<float> logits, int token, Span<int> ids, Span<float> logprobs)
    {
        if (token < 0)
        {
            return 0;
        }

        float max = float.NegativeInfinity;
        foreach (float logit in logits)
        {
            max = MathF.Max(max, logit);
        }

        if (!float.IsFinite(max))
        {
            ids.Fill(token);
            logprobs.Fill(float.NaN);
            return 0;
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp((double)logit - max);
        }

        double normalizer = max + Math.Log(sum);
        List<(float Logit, int Id)> sorted = [];
        int rank = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            sorted.Add((logits[id], id));
            rank += logits[id] >= logits[token] ? 1 : 0;
        }

        sorted.Sort(static (a, b) => a.Logit != b.Logit ? b.Logit.CompareTo(a.Logit) : a.Id.CompareTo(b.Id));
        ids[0] = token;
        logprobs[0] = (float)(logits[token] - normalizer);
        for (int i = 1; i < ids.Length; i++)
        {
            ids[i] = sorted[i - 1].Id;
            logprobs[i] = (float)(sorted[i - 1].Logit - normalizer);
        }

        return rank;
    }
}
