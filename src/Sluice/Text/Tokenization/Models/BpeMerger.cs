using System.Buffers;

namespace Sluice.Text.Tokenization.Models;

/// <summary>
/// Applies merges to the symbols of a word: always the lowest rank, of equal ranks the leftmost. Short words search the
/// lowest rank in a row of numbers; long ones use a queue, so that a megabyte of one letter takes linear time.
/// </summary>
internal static class BpeMerger
{
    // The search is quadratic but runs in registers and one cache line; measured break-even is near 50 symbols.
    private const int LinearSearchLimit = 40;

    /// <summary>Merges in place and returns how many symbols are left.</summary>
    public static int Merge(Span<int> symbols, MergeTable merges) => symbols.Length switch
    {
        < 2 => symbols.Length,
        <= LinearSearchLimit => MergeShort(symbols, merges),
        _ => MergeLong(symbols, merges),
    };

    private static int MergeShort(Span<int> symbols, MergeTable merges)
    {
        Span<int> ranks = stackalloc int[LinearSearchLimit];
        Span<int> results = stackalloc int[LinearSearchLimit];
        int count = symbols.Length;
        for (int i = 0; i + 1 < count; i++)
        {
            Look(symbols, i, count, merges, ranks, results);
        }

        while (count > 1)
        {
            int best = 0;
            int bestRank = int.MaxValue;
            for (int i = 0; i < count - 1; i++)
            {
                if (ranks[i] < bestRank)
                {
                    (best, bestRank) = (i, ranks[i]);
                }
            }

            if (bestRank == int.MaxValue)
            {
                break;
            }

            symbols[best] = results[best];
            symbols[(best + 2)..count].CopyTo(symbols[(best + 1)..]);
            ranks[(best + 1)..count].CopyTo(ranks[best..]);
            results[(best + 1)..count].CopyTo(results[best..]);
            count--;
            Look(symbols, best, count, merges, ranks, results);
            if (best > 0)
            {
                Look(symbols, best - 1, count, merges, ranks, results);
            }
        }

        return count;
    }

    private static void Look(Span<int> symbols, int index, int count, MergeTable merges, Span<int> ranks, Span<int> results)
    {
        if (index + 1 >= count || !merges.TryGet(symbols[index], symbols[index + 1], out ranks[index], out results[index]))
        {
            ranks[index] = int.MaxValue;
        }
    }

    private static int MergeLong(Span<int> symbols, MergeTable merges)
    {
        int count = symbols.Length;
        int[] links = ArrayPool<int>.Shared.Rent(2 * count);
        Span<int> next = links.AsSpan(0, count);
        Span<int> previous = links.AsSpan(count, count);
        var queue = new MergeQueue();
        try
        {
            for (int i = 0; i < count; i++)
            {
                next[i] = i + 1;
                previous[i] = i - 1;
                if (i + 1 < count && merges.TryGet(symbols[i], symbols[i + 1], out int rank, out _))
                {
                    queue.Add(rank, i);
                }
            }

            while (queue.TryTake(out int rank, out int position))
            {
                int right = next[position];

                // An entry is stale when its left symbol is gone (-1) or its pair has changed since.
                if (symbols[position] < 0 || right >= count
                    || !merges.TryGet(symbols[position], symbols[right], out int currentRank, out int result) || currentRank != rank)
                {
                    continue;
                }

                symbols[position] = result;
                symbols[right] = -1;
                int after = next[right];
                next[position] = after;
                if (previous[position] >= 0)
                {
                    Enqueue(queue, symbols, merges, previous[position], position);
                }

                if (after < count)
                {
                    previous[after] = position;
                    Enqueue(queue, symbols, merges, position, after);
                }
            }

            int left = 0;
            for (int i = 0; i < count; i = next[i])
            {
                symbols[left++] = symbols[i];
            }

            return left;
        }
        finally
        {
            ArrayPool<int>.Shared.Return(links);
        }
    }

    private static void Enqueue(MergeQueue queue, Span<int> symbols, MergeTable merges, int left, int right)
    {
        if (merges.TryGet(symbols[left], symbols[right], out int rank, out _))
        {
            queue.Add(rank, left);
        }
    }
}
