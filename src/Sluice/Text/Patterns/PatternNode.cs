namespace Sluice.Text.Patterns;

internal enum RepeatMode
{
    Greedy,
    Lazy,
    Possessive,
}

internal enum Anchor
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrFinalNewline,
    WordBoundary,
    NotWordBoundary,
}

/// <summary>The parsed form of a pattern.</summary>
internal abstract record PatternNode
{
    public sealed record Set(CodePointSet CodePoints) : PatternNode;

    public sealed record Sequence(IReadOnlyList<PatternNode> Items) : PatternNode;

    public sealed record Alternation(IReadOnlyList<PatternNode> Branches) : PatternNode;

    /// <param name="Body">What is repeated.</param>
    /// <param name="Minimum">The fewest repetitions.</param>
    /// <param name="Maximum">The most repetitions; <see cref="int.MaxValue"/> without a limit.</param>
    /// <param name="Mode">Which number is tried first, and whether it may be given back.</param>
    public sealed record Repeat(PatternNode Body, int Minimum, int Maximum, RepeatMode Mode) : PatternNode;

    public sealed record Look(PatternNode Body, bool Behind, bool Negative) : PatternNode;

    public sealed record Atomic(PatternNode Body) : PatternNode;

    public sealed record Assertion(Anchor Anchor) : PatternNode;
}
