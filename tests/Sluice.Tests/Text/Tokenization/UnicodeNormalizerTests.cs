using System.Text.Json;
using Sluice.Text.Tokenization.Normalizers;

namespace Sluice.Tests.Text.Tokenization;

/// <summary>All characters with a decomposition, and random runs of marks and Korean letters, as Python's unicodedata normalizes them.</summary>
public class UnicodeNormalizerTests
{
    [Theory]
    [InlineData(1, false, true)]
    [InlineData(2, false, false)]
    [InlineData(3, true, true)]
    [InlineData(4, true, false)]
    public void Apply_EveryVector_GivesTheReferenceForm(int column, bool compatibility, bool composes)
    {
        var normalizer = new UnicodeNormalizer(compatibility, composes);
        foreach (string line in TestData.ReadLines("unicode", "normalization.jsonl"))
        {
            string[] row = JsonSerializer.Deserialize<string[]>(line)!;
            Assert.Equal(row[column], Normalize(normalizer, row[0]));
            Assert.Equal(row[column], Normalize(normalizer, row[column]));
        }
    }

    [Fact]
    public void Apply_MarksOverAMegabyte_SortsThemInReasonableTime()
    {
        // About 0.1 s; sorting by insertion would take minutes.
        TimeSpan limit = TimeSpan.FromSeconds(20);
        string text = "a" + string.Concat(Enumerable.Repeat("\u0301\u0316", 250_000));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        string result = Normalize(new UnicodeNormalizer(compatibility: false, composes: false), text);
        Assert.True(clock.Elapsed < limit);
        Assert.Equal("a" + new string('\u0316', 250_000) + new string('\u0301', 250_000), result);
    }

    [Fact]
    public void OriginOf_ComposedAndExpandedText_PointsIntoTheOriginal()
    {
        var text = new NormalizedText("xe\u0301ﬁz".AsMemory(), tracksOrigins: true);
        new UnicodeNormalizer(compatibility: true, composes: true).Apply(text);
        Assert.Equal("xéfiz", text.Text.ToString());
        Assert.Equal(new Sluice.Text.TextSpan(1, 2), text.OriginOf(1, 2));
        Assert.Equal(new Sluice.Text.TextSpan(3, 1), text.OriginOf(2, 4));
        Assert.Equal(new Sluice.Text.TextSpan(4, 1), text.OriginOf(4, 5));
    }

    private static string Normalize(UnicodeNormalizer normalizer, string text)
    {
        var normalized = new NormalizedText(text.AsMemory(), tracksOrigins: false);
        normalizer.Apply(normalized);
        return normalized.Text.ToString();
    }
}
