namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// Finds the candidates that a sorted order would put first, without sorting: four passes over 8-bit digits of the keys, from the
/// highest, each narrowing down the key at which the wanted count or mass is reached. Equal keys count in the order of their ids.
/// </summary>
internal static class RadixSelect
{
    private const int Digits = 256;

    /// <summary>The <paramref name="count"/>-th largest key, and how many keys are larger.</summary>
    public static (uint Key, int Above) NthLargest(ReadOnlySpan<uint> keys, int count)
    {
        Span<int> bins = stackalloc int[Digits];
        uint prefix = 0;
        uint prefixMask = 0;
        int above = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            bins.Clear();
            foreach (uint key in keys)
            {
                if ((key & prefixMask) == prefix)
                {
                    bins[(int)((key >> shift) & 0xFF)]++;
                }
            }

            int digit = Digits - 1;
            while (above + bins[digit] < count)
            {
                above += bins[digit--];
            }

            prefix |= (uint)digit << shift;
            prefixMask |= 0xFFu << shift;
        }

        return (prefix, above);
    }

    /// <summary>Keeps the <paramref name="keep"/> largest of <paramref name="count"/> candidates, in the order of their ids.</summary>
    public static int KeepLargest(in RowScratch scratch, int count, int keep)
    {
        if (keep >= count)
        {
            return count;
        }

        Span<uint> keys = scratch.Keys;
        Span<int> ids = scratch.Ids;
        (uint threshold, int taken) = NthLargest(keys[..count], keep);
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            uint key = keys[i];
            if (key > threshold || (key == threshold && taken++ < keep))
            {
                keys[kept] = key;
                ids[kept++] = ids[i];
            }
        }

        return kept;
    }

    /// <summary>
    /// Keeps the fewest of the largest candidates whose weights sum to at least <paramref name="mass"/>, in the order of their ids.
    /// </summary>
    public static int KeepMass(in RowScratch scratch, int count, double mass)
    {
        Span<uint> keys = scratch.Keys;
        Span<int> ids = scratch.Ids;
        Span<float> weights = scratch.Weights;
        (uint threshold, double above) = KeyAtMass(keys[..count], weights, mass);
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            uint key = keys[i];
            bool keep = key > threshold;
            if (key == threshold && above < mass)
            {
                keep = true;
                above += weights[i];
            }

            if (keep)
            {
                keys[kept] = key;
                weights[kept] = weights[i];
                ids[kept++] = ids[i];
            }
        }

        return kept;
    }

    private static (uint Key, double Above) KeyAtMass(ReadOnlySpan<uint> keys, ReadOnlySpan<float> weights, double mass)
    {
        Span<double> bins = stackalloc double[Digits];
        Span<int> counts = stackalloc int[Digits];
        uint prefix = 0;
        uint prefixMask = 0;
        double above = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            bins.Clear();
            counts.Clear();
            for (int i = 0; i < keys.Length; i++)
            {
                if ((keys[i] & prefixMask) == prefix)
                {
                    int digit = (int)((keys[i] >> shift) & 0xFF);
                    bins[digit] += weights[i];
                    counts[digit]++;
                }
            }

            // Rounding may leave the bins' sum just short of the mass: then the lowest key there is.
            int chosen = -1;
            for (int digit = Digits - 1; digit >= 0; digit--)
            {
                if (counts[digit] == 0)
                {
                    continue;
                }

                if (chosen >= 0)
                {
                    above += bins[chosen];
                }

                chosen = digit;
                if (above + bins[digit] >= mass)
                {
                    break;
                }
            }

            prefix |= (uint)chosen << shift;
            prefixMask |= 0xFFu << shift;
        }

        return (prefix, above);
    }
}
