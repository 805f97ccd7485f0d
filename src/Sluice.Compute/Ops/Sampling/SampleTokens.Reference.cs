namespace Sluice.Compute.Ops.Sampling;

/// <summary>One row of <see cref="IBackend.SampleTokens"/>, written as its definition: sorts everything, in double precision.</summary>
internal static class SampleTokensReference
{
    /// <inheritdoc cref="IBackend.SampleTokens"/>
    public static void Run(Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts)
    {
        for (int i = 0; i < logits.Rows; i++)
        {
            ref readonly SamplingRow row = ref SamplingTensors.Element<SamplingRow>(rows, i);
            SamplingTensors.Publish(Row(SamplingTensors.Row<float>(logits, i), row), i, row, tokenIds, lastSampled, counts);
        }
    }

    /// <summary>The chosen token, or one of the negative values of <see cref="SamplingRow"/>.</summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="row">How to choose.</param>
    public static int Row(ReadOnlySpan<float> logits, in SamplingRow row)
    {
        int best = -1;
        for (int token = 0; token < logits.Length; token++)
        {
            if (float.IsNaN(logits[token]) || float.IsPositiveInfinity(logits[token]))
            {
                return SamplingRow.NotFinite;
            }

            if (!float.IsNegativeInfinity(logits[token]) && (best < 0 || logits[token] > logits[best]))
            {
                best = token;
            }
        }

        if (best < 0)
        {
            return SamplingRow.NothingPossible;
        }

        return row.Temperature == 0 ? best : Draw(logits, row, logits[best]);
    }

    private static int Draw(ReadOnlySpan<float> logits, in SamplingRow row, float max)
    {
        List<(int Token, float Logit, double Weight)> kept = [];
        for (int token = 0; token < logits.Length; token++)
        {
            double weight = Math.Exp(((double)logits[token] - max) / row.Temperature);
            if (!float.IsNegativeInfinity(logits[token]) && weight >= row.MinP)
            {
                kept.Add((token, logits[token], weight));
            }
        }

        kept.Sort(static (a, b) => a.Logit != b.Logit ? b.Logit.CompareTo(a.Logit) : a.Token.CompareTo(b.Token));
        if (row.TopK > 0 && row.TopK < kept.Count)
        {
            kept.RemoveRange(row.TopK, kept.Count - row.TopK);
        }

        double total = Total(kept);
        if (row.TopP < 1)
        {
            double above = 0;
            int count = 0;
            while (count < kept.Count && above < row.TopP * total)
            {
                above += kept[count++].Weight;
            }

            kept.RemoveRange(count, kept.Count - count);
            total = Total(kept);
        }

        kept.Sort(static (a, b) => a.Token.CompareTo(b.Token));
        double target = Philox.Uniform(row.SeedLow, row.SeedHigh, row.Counter) * total;
        double sum = 0;
        foreach ((int token, _, double weight) in kept)
        {
            sum += weight;
            if (target < sum)
            {
                return token;
            }
        }

        return kept[^1].Token;
    }

    private static double Total(List<(int Token, float Logit, double Weight)> kept)
    {
        double total = 0;
        foreach ((_, _, double weight) in kept)
        {
            total += weight;
        }

        return total;
    }
}
