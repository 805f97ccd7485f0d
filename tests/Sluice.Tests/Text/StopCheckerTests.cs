using CsCheck;
using Sluice.Text;

namespace Sluice.Tests.Text;

public class StopCheckerTests
{
    [Fact]
    public void Append_StopStringOverThreeParts_IsCutOut()
    {
        var checker = new StopChecker(["</end>"], includeStopString: false);
        Assert.Equal("Hello ", checker.Append("Hello <", out string? matched));
        Assert.Null(matched);
        Assert.Equal("", checker.Append("/e", out matched));
        Assert.Null(matched);
        Assert.Equal("", checker.Append("nd> and more", out matched));
        Assert.Equal("</end>", matched);
        Assert.Equal("", checker.Append("anything", out matched));
        Assert.Null(matched);
        Assert.Equal("", checker.Flush());
    }

    [Fact]
    public void Append_IncludeStopString_EndsWithIt()
    {
        var checker = new StopChecker(["stop"], includeStopString: true);
        Assert.Equal("a ", checker.Append("a sto", out _));
        Assert.Equal("stop", checker.Append("p b", out string? matched));
        Assert.Equal("stop", matched);
    }

    [Fact]
    public void Append_BeginningThatDoesNotGoOn_IsGivenOut()
    {
        var checker = new StopChecker(["aab"], includeStopString: false);
        Assert.Equal("", checker.Append("aa", out _));
        Assert.Equal("a", checker.Append("a", out _));
        Assert.Equal("aax", checker.Append("x", out _));
        Assert.Equal("a", checker.Append("aaa", out _));
        Assert.Equal("aa", checker.Flush());
    }

    [Fact]
    public void Append_SeveralEndTogether_TheLongestWins()
    {
        var checker = new StopChecker(["d", "cd", "bcd"], includeStopString: false);
        Assert.Equal("a", checker.Append("abcd", out string? matched));
        Assert.Equal("bcd", matched);
    }

    [Fact]
    public void Append_NoStopStrings_GivesTheSameStringBack()
    {
        var checker = new StopChecker([], includeStopString: false);
        string delta = new('x', 10);
        Assert.Same(delta, checker.Append(delta, out string? matched));
        Assert.Null(matched);
    }

    [Fact]
    public void Constructor_EmptyStopString_Throws() =>
        Assert.Throws<ArgumentException>(() => new StopChecker(["x", ""], includeStopString: false));

    [Fact]
    public void Append_AnyPartsOfAnyText_StopAtTheFirstCompleteStopString()
    {
        Gen<string> letters = Gen.Char['a', 'c'].Array[1, 4].Select(static units => new string(units));
        Gen.Select(letters.List[0, 4], letters.List[0, 12], Gen.Bool).Sample(
            (stops, parts, include) =>
            {
                var checker = new StopChecker(stops, include);
                string emitted = "";
                string? matched = null;
                foreach (string part in parts)
                {
                    emitted += checker.Append(part, out matched);
                    if (matched is not null)
                    {
                        break;
                    }
                }

                emitted += checker.Flush();
                (string expected, string? expectedMatch) = Reference(string.Concat(parts), stops, include);
                Assert.Equal((expected, expectedMatch), (emitted, matched));
            },
            seed: "0N0XIzNsQ0O2",
            iter: 20_000,
            threads: 1);
    }

    private static (string Text, string? Match) Reference(string text, List<string> stops, bool include)
    {
        for (int end = 1; end <= text.Length; end++)
        {
            string? match = stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).MaxBy(static stop => stop.Length);
            if (match is not null)
            {
                return (include ? text[..end] : text[..(end - match.Length)], match);
            }
        }

        return (text, null);
    }
}
