namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// One row of <see cref="IBackend.SampleTokens"/>. A greedy row reads the logits once and a row with a temperature twice. Filters
/// first bound the smallest logit that can survive, from the maxima of the blocks that the first pass leaves, and then look only
/// at the few candidates above it.
/// </summary>
internal static class SampleTokensSimd
{
    /// <summary>As <see cref="SampleTokensReference.Row"/>, with memory to work in.</summary>
    public static int Row(ReadOnlySpan<float> logits, in SamplingRow row, in RowScratch scratch)
    {
        Span<float> maxima = scratch.BlockMaxima;
        float max = LogitBlocks.Maxima(logits, maxima);
        if (float.IsNaN(max) || float.IsPositiveInfinity(max))
        {
            return SamplingRow.NotFinite;
        }

        if (float.IsNegativeInfinity(max))
        {
            return SamplingRow.NothingPossible;
        }

        if (row.Temperature == 0 || row.TopK == 1)
        {
            return LogitBlocks.IndexOf(logits, maxima, max);
        }

        double uniform = Philox.Uniform(row.SeedLow, row.SeedHigh, row.Counter);
        bool filtered = row.MinP > 0 || (row.TopK > 0 && row.TopK < logits.Length) || row.TopP < 1;
        return filtered ? DrawFiltered(logits, row, max, uniform, scratch) : Draw(logits, max, 1 / row.Temperature, uniform, scratch);
    }

    private static int Draw(ReadOnlySpan<float> logits, float max, float scale, double uniform, in RowScratch scratch)
    {
        Span<double> sums = scratch.BlockSums;
        double target = LogitBlocks.ExpSums(logits, max, scale, sums) * uniform;
        double before = 0;
        int block = 0;
        int last = 0;
        for (; block < sums.Length; block++)
        {
            if (sums[block] > 0)
            {
                last = block;
            }

            if (target < before + sums[block])
            {
                break;
            }

            before += sums[block];
        }

        // Rounding may put the target behind the last block that weighs something.
        block = Math.Min(block, last);
        int first = block * RowScratch.BlockSize;
        int length = Math.Min(RowScratch.BlockSize, logits.Length - first);
        Span<float> weights = stackalloc float[RowScratch.BlockSize];
        LogitBlocks.Exp(logits.Slice(first, length), max, scale, weights);
        return first + Pick(weights[..length], target - before);
    }

    private static int DrawFiltered(ReadOnlySpan<float> logits, in SamplingRow row, float max, double uniform, in RowScratch scratch)
    {
        float scale = 1 / row.Temperature;
        float threshold = row.MinP > 0 ? max + (row.Temperature * MathF.Log(row.MinP)) : float.NegativeInfinity;
        bool limited = row.TopK > 0 && row.TopK < logits.Length;
        if (limited)
        {
            threshold = MathF.Max(threshold, TopKBound(row.TopK, scratch));
        }

        double total = 0;
        bool massOnly = !limited && row.MinP == 0;
        if (massOnly)
        {
            threshold = NucleusBound(logits, row, max, scratch, out total);
        }

        int count = LogitBlocks.Gather(logits, MathF.Max(threshold, float.MinValue), scratch);
        if (limited)
        {
            count = RadixSelect.KeepLargest(scratch, count, row.TopK);
        }

        double kept = Weigh(scratch, count, max, scale);
        if (row.TopP < 1)
        {
            count = RadixSelect.KeepMass(scratch, count, row.TopP * (massOnly ? total : kept));
            kept = Sum(scratch.Weights[..count]);
        }

        return scratch.Ids[Pick(scratch.Weights[..count], kept * uniform)];
    }

    /// <summary>
    /// A lower bound of the logits in the nucleus, close enough that few tokens below the nucleus pass: the mass of the row is counted in bins
    /// of equal width, and the bound lies below the bin in which the wanted mass is reached.
    /// </summary>
    private static float NucleusBound(ReadOnlySpan<float> logits, in SamplingRow row, float max, in RowScratch scratch, out double total)
    {
        const int Bins = 512;

        // Tokens below (1 - p) / vocabulary of the mass weigh less than 1 - p together, so none is in the nucleus; and the mass is at least
        // the most likely token's, 1.
        float range = row.Temperature * MathF.Log(logits.Length / (1 - row.TopP));
        float binsPerUnit = Bins / range;
        Span<double> bins = stackalloc double[Bins];
        bins.Clear();
        total = LogitBlocks.ExpHistogram(logits, max, 1 / row.Temperature, binsPerUnit, scratch.BlockMaxima, bins);
        double mass = 0;
        int bin = 0;
        while (bin < Bins && (mass += bins[bin]) < row.TopP * total)
        {
            bin++;
        }

        // One bin further down, so that no rounding of a bin's edge matters.
        return max - ((bin + 2) / binsPerUnit);
    }

    /// <summary>
    /// The k-th largest of the block maxima: at least k logits are not below it. Nothing when there are fewer blocks.
    /// </summary>
    public static float TopKBound(int k, in RowScratch scratch)
    {
        Span<float> maxima = scratch.BlockMaxima;
        if (k > maxima.Length)
        {
            return float.NegativeInfinity;
        }

        Span<uint> keys = scratch.Keys[..maxima.Length];
        for (int i = 0; i < maxima.Length; i++)
        {
            keys[i] = LogitBlocks.Key(maxima[i]);
        }

        return LogitBlocks.Value(RadixSelect.NthLargest(keys, k).Key);
    }

    /// <summary>Fills in the candidates' weights and returns their sum.</summary>
    private static double Weigh(in RowScratch scratch, int count, float max, float scale)
    {
        Span<float> weights = scratch.Weights;
        Span<uint> keys = scratch.Keys;
        for (int i = 0; i < count; i++)
        {
            weights[i] = LogitBlocks.Value(keys[i]);
        }

        for (int first = 0; first < count; first += RowScratch.BlockSize)
        {
            Span<float> part = weights[first..Math.Min(first + RowScratch.BlockSize, count)];
            LogitBlocks.Exp(part, max, scale, part);
        }

        return Sum(weights[..count]);
    }

    private static double Sum(ReadOnlySpan<float> weights)
    {
        double sum = 0;
        foreach (float weight in weights)
        {
            sum += weight;
        }

        return sum;
    }

    /// <summary>The first index at which the running sum exceeds the target; the last that weighs something when none does.</summary>
    private static int Pick(ReadOnlySpan<float> weights, double target)
    {
        double sum = 0;
        int last = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] > 0)
            {
                last = i;
            }

            sum += weights[i];
            if (target < sum)
            {
                return i;
            }
        }

        return last;
    }
}
