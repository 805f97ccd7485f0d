namespace Sluice.Text.Patterns;

internal enum PatternOperation
{
    /// <summary>One code point equal to A.</summary>
    Literal,

    /// <summary>One code point of the set.</summary>
    Set,

    /// <summary>A to B code points of the set, as <see cref="PatternInstruction.Mode"/> says.</summary>
    SetLoop,

    /// <summary>Try A first, then B. With a set: only B unless the next code point is in the set.</summary>
    Split,

    Jump,

    /// <summary>The instructions up to their Accept must match here (A = 0) or must not (A = 1); go on at B.</summary>
    LookAhead,

    /// <summary>The code point before must be of the set (A = 0) or must not be (A = 1).</summary>
    LookBehind,

    /// <summary>Match the instructions up to their Accept without ever trying them again; go on at B.</summary>
    Atomic,

    Assertion,
    Accept,
}

internal struct PatternInstruction
{
    public PatternOperation Operation;
    public int A;
    public int B;
    public CodePointSet? Set;
    public RepeatMode Mode;
}
