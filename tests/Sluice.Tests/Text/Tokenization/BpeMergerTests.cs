using CsCheck;
using Sluice.Text.Tokenization.Models;

namespace Sluice.Tests.Text.Tokenization;

public class BpeMergerTests
{
    private const int LetterCount = 3;

    [Fact]
    public void Merge_AnyWordAndAnyMerges_IsTheLowestRankLeftmostFirst()
    {
        // Words on both sides of the length where the algorithm changes.
        Gen.Select(Gen.Int[0, 12].Array[0, 30], Gen.Int[0, LetterCount - 1].Array[0, 150]).Sample(
            (choices, word) =>
            {
                (MergeTable table, List<(int Left, int Right, int Result)> merges) = BuildMerges(choices);
                int[] symbols = [.. word];
                int count = BpeMerger.Merge(symbols, table);
                Assert.Equal(MergePlainly(word, merges), symbols[..count]);
            },
            seed: "0N0XIzNsQ0O2",
            iter: 5000,
            threads: 1);
    }

    [Fact]
    public void Without_SomeResults_KeepsTheOtherMerges()
    {
        var table = new MergeTable(4);
        table.Set(1, 2, rank: 0, result: 3);
        table.Set(3, 2, rank: 1, result: 4);
        Assert.Same(table, table.Without(new HashSet<int> { 9 }));
        MergeTable reduced = table.Without(new HashSet<int> { 4 });
        Assert.True(reduced.TryGet(1, 2, out _, out int result));
        Assert.Equal(3, result);
        Assert.False(reduced.TryGet(3, 2, out _, out _));
    }

    /// <summary>Merges of letters and of earlier results, in random order of rank.</summary>
    private static (MergeTable Table, List<(int Left, int Right, int Result)> Merges) BuildMerges(int[] choices)
    {
        var table = new MergeTable(choices.Length);
        var merges = new List<(int Left, int Right, int Result)>();
        var pairs = new HashSet<(int, int)>();
        for (int i = 0; i + 1 < choices.Length; i += 2)
        {
            int known = LetterCount + merges.Count;
            (int left, int right) = (choices[i] % known, choices[i + 1] % known);
            if (pairs.Add((left, right)))
            {
                merges.Add((left, right, known));
            }
        }

        // The first become the worst ranks, so that a merge often makes a better one possible.
        merges.Reverse();
        for (int rank = 0; rank < merges.Count; rank++)
        {
            table.Set(merges[rank].Left, merges[rank].Right, rank, merges[rank].Result);
        }

        return (table, merges);
    }

    private static List<int> MergePlainly(int[] word, List<(int Left, int Right, int Result)> merges)
    {
        List<int> symbols = [.. word];
        while (true)
        {
            (int rank, int at) = (int.MaxValue, -1);
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                int found = merges.FindIndex(merge => merge.Left == symbols[i] && merge.Right == symbols[i + 1]);
                if (found >= 0 && found < rank)
                {
                    (rank, at) = (found, i);
                }
            }

            if (at < 0)
            {
                return symbols;
            }

            symbols[at] = merges[rank].Result;
            symbols.RemoveAt(at + 1);
        }
    }
}
