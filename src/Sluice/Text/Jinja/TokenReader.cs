namespace Sluice.Text.Jinja;

/// <summary>A cursor over the tokens, and the one place that limits how deep the source may nest.</summary>
internal sealed class TokenReader(List<Token> tokens)
{
    /// <summary>Nested blocks, brackets (two each) and inline ifs together. Real templates stay under 40.</summary>
    private const int MaxDepth = 200;

    private int _depth;

    public int Position { get; private set; }

    public Token Current => tokens[Position];

    public int Line => Current.Line;

    public Token Peek => tokens[Math.Min(Position + 1, tokens.Count - 1)];

    public Token Next()
    {
        Token token = tokens[Position];
        if (token.Kind != TokenKind.End)
        {
            Position++;
        }

        return token;
    }

    public bool Take(TokenKind kind, string text)
    {
        if (!Current.Is(kind, text))
        {
            return false;
        }

        Position++;
        return true;
    }

    public bool TakeOperator(string text)
    {
        return Take(TokenKind.Operator, text);
    }

    public bool TakeName(string text)
    {
        return Take(TokenKind.Name, text);
    }

    public void ExpectOperator(string text)
    {
        if (!TakeOperator(text))
        {
            throw Unexpected($"'{text}'");
        }
    }

    public void ExpectName(string text)
    {
        if (!TakeName(text))
        {
            throw Unexpected($"'{text}'");
        }
    }

    public string ExpectName()
    {
        return Current.Kind == TokenKind.Name ? Next().Text : throw Unexpected("a name");
    }

    public void Expect(TokenKind kind, string description)
    {
        if (Current.Kind != kind)
        {
            throw Unexpected(description);
        }

        Position++;
    }

    /// <summary>Whether a name token of that spelling stands between two positions.</summary>
    public bool Mentions(string name, int from, int to)
    {
        return tokens.FindIndex(from, to - from, token => token.Is(TokenKind.Name, name)) >= 0;
    }

    public void Enter()
    {
        if (++_depth > MaxDepth)
        {
            throw Lexer.Error($"the template nests deeper than {MaxDepth} levels", Line);
        }
    }

    public void Leave()
    {
        _depth--;
    }

    public ChatTemplateException Unexpected(string expected)
    {
        string found = Current.Kind == TokenKind.End ? "the end of the template" : $"'{Current.Text}'";
        return Lexer.Error($"expected {expected}, found {found}", Line);
    }
}
