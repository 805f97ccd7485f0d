namespace Sluice.Text.Jinja;

internal enum TokenKind : byte
{
    /// <summary>Literal text of the template, whitespace control already applied.</summary>
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>One token; <paramref name="Text"/> is its decoded value for strings and its spelling for the rest.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool Is(TokenKind kind, string text)
    {
        return Kind == kind && Text == text;
    }
}
