using System.Text.RegularExpressions;
using CsCheck;
using Sluice.Text.Patterns;

namespace Sluice.Tests.Text.Patterns;

public class TextPatternTests
{
    public static TheoryData<string> SharedSyntax =>
    [
        @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'s|'t)?|\p{N}{1,3}|\s*[\r\n]+|\s+(?!\S)|\s+",
        "(a|ab)(c|bcd)(d*)",
        "a*?b|a{2,3}?|(?:ab){2,}|b+?c",
        "(?>a+)b|a",
        "(?=ab)a|(?!a)b|(?<=a)b|(?<!b)c",
        @"\Aa|b\z|\ba|c\b|\Bb",
        "[^a-b]+|[ab]{0,2}",
        "x*",
        "(?:a|b)*c|(?:ab?)+?b",
    ];

    [Theory]
    [MemberData(nameof(SharedSyntax))]
    public void Matches_TextOfTheBasicPlane_AreThoseOfDotNet(string pattern)
    {
        var expected = new Regex(pattern, RegexOptions.CultureInvariant);
        TextPattern actual = TextPattern.Compile(pattern);
        Gen.OneOf(Gen.Char["abcd"], Gen.Char["aB1 \n\r.'sé中\u0301"]).Array[0, 20].Sample(
            units =>
            {
                string text = new(units);
                Assert.Equal(expected.Matches(text).Where(NotBehindItself(expected, text)).Select(static match => (match.Index, match.Index + match.Length)), All(actual, text));
            },
            seed: "0N0XIzNsQ0O2",
            iter: 3000,
            threads: 1);
    }

    [Theory]
    [InlineData(@"\p{L}+", "a𠮷b1", "a𠮷b")]
    [InlineData("[^a]", "😀", "😀")]
    [InlineData(".", "😀", "😀")]
    [InlineData("[😀-😂]{2}", "😀😁", "😀😁")]
    [InlineData(@"\x{1F600}\u0061\x41", "😀aA", "😀aA")]
    [InlineData(@"(?<=😀)a", "😀a", "a")]
    [InlineData("(?i:'S)", "'ſ", "'ſ")]
    [InlineData("(?i:k)", "\u212A", "\u212A")]
    [InlineData("(?i)é|ǆ", "É", "É")]
    [InlineData("(?i:a(?-i:b))", "Ab", "Ab")]
    [InlineData(@"\p{Han}+", "a漢字b", "漢字")]
    [InlineData(@"\P{L}", "a1", "1")]
    [InlineData(@"\p{^L}", "a1", "1")]
    [InlineData(@"[\p{L}&&[^a]]+", "abc", "bc")]
    [InlineData(@"[^(\s|[.,])]+", "a).", "a")]
    [InlineData("[[:alpha:]]+[[:^alpha:]]", "ab1", "ab1")]
    [InlineData(@"\d{1,3}+", "12345", "12345")]
    [InlineData("a++b", "aab", "aab")]
    [InlineData("a{,2}", "aaa", "aa")]
    [InlineData("a{x", "a{x", "a{x")]
    [InlineData("[]a]+", "]a", "]a")]
    [InlineData("(?<name>a)(?:b)", "ab", "ab")]
    [InlineData("^b$", "a\nb\nc", "b")]
    [InlineData("(?m:a.b)", "a\nb", "a\nb")]
    public void Matches_DialectOfTokenizers_FindsTheFirst(string pattern, string text, string expected)
    {
        PatternMatcher matches = TextPattern.Compile(pattern).Matches(text);
        Assert.True(matches.MoveNext());
        Assert.Equal(expected, text[matches.Start..matches.End]);
    }

    [Theory]
    [InlineData("(", "group without ')'")]
    [InlineData("a)", "unmatched ')'")]
    [InlineData("[a", "class without ']'")]
    [InlineData("*a", "repeats nothing")]
    [InlineData(@"\1", "back-references are not supported")]
    [InlineData(@"\q", "is not supported")]
    [InlineData(@"\", "ends in a backslash")]
    [InlineData(@"\p{Klingon}", "\\p{Klingon} is not supported")]
    [InlineData(@"\pL", "needs a property name in braces")]
    [InlineData("[z-a]", "reverse order")]
    [InlineData("a{3,2}", "out of range")]
    [InlineData("a{5000}", "out of range")]
    [InlineData("(?:a*)*", "can be empty")]
    [InlineData("(?<=ab)c", "look-behind over more than one character")]
    [InlineData("(?'x'a)", "is not supported")]
    [InlineData("((a{999}b){999}c){999}", "too large")]
    [InlineData("[[:nope:]]", "[:nope:] is not supported")]
    public void Compile_WhatCannotBeUsed_SaysWhy(string pattern, string expected) =>
        Assert.Contains(expected, Assert.Throws<PatternException>(() => TextPattern.Compile(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void Compile_DeepNesting_SaysWhy() =>
        Assert.Throws<PatternException>(() => TextPattern.Compile(new string('(', 100_000)));

    [Fact]
    public void Matches_ExponentialPattern_StopsAtItsBudget() =>
        Assert.Throws<InvalidOperationException>(() => All(TextPattern.Compile("(?:a|a|aa)+$b"), new string('a', 60)));

    private static List<(int Start, int End)> All(TextPattern pattern, string text)
    {
        List<(int Start, int End)> all = [];
        PatternMatcher matches = pattern.Matches(text);
        while (matches.MoveNext())
        {
            all.Add((matches.Start, matches.End));
        }

        return all;
    }

    /// <summary>.NET gives an empty match right behind a match; the reference implementation and this engine do not.</summary>
    private static Func<Match, bool> NotBehindItself(Regex regex, string text)
    {
        HashSet<int> ends = [.. regex.Matches(text).Where(static match => match.Length > 0).Select(static match => match.Index + match.Length)];
        return match => match.Length > 0 || !ends.Contains(match.Index);
    }
}
