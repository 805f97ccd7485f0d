namespace Sluice.Text.Patterns;

/// <summary>
/// A compiled regular expression over code points. .NET's own Regex matches UTF-16 units, so that its \p{L} misses every
/// letter beyond the basic plane (much of Chinese); it also differs in look-ahead support between its linear and its
/// backtracking engine. Thread-safe.
/// </summary>
internal sealed class TextPattern
{
    private TextPattern(PatternInstruction[] program, CodePointSet? firstSet)
    {
        Program = program;
        FirstSet = firstSet;
    }

    internal PatternInstruction[] Program { get; }

    /// <summary>What a match can begin with; null when that does not restrict it.</summary>
    internal CodePointSet? FirstSet { get; }

    /// <exception cref="PatternException">The pattern is malformed or uses an unsupported construct.</exception>
    public static TextPattern Compile(string pattern)
    {
        PatternNode node = PatternParser.Parse(pattern);
        return new TextPattern(PatternCompiler.Compile(node), PatternCompiler.FirstSet(node));
    }

    public PatternMatcher Matches(ReadOnlySpan<char> text) => new(this, text);
}
