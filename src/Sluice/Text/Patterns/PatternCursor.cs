using System.Globalization;

namespace Sluice.Text.Patterns;

/// <summary>A place in a pattern, and how the smallest parts are read from there.</summary>
internal sealed class PatternCursor(string pattern)
{
    public string Pattern => pattern;

    public int Position { get; set; }

    public bool AtEnd => Position >= pattern.Length;

    public char Peek => pattern[Position];

    public PatternException Error(string what) => new($"{what} at position {Position}");

    public bool TryTake(string expected)
    {
        if (string.CompareOrdinal(pattern, Position, expected, 0, expected.Length) != 0)
        {
            return false;
        }

        Position += expected.Length;
        return true;
    }

    public int TakeCodePoint()
    {
        if (AtEnd)
        {
            throw Error("the pattern ends too early");
        }

        int codePoint = CodePoints.At(pattern, Position, out int unitCount);
        Position += unitCount;
        return codePoint;
    }

    /// <summary>The code point of an escape whose backslash is already taken.</summary>
    public int TakeLiteralEscape()
    {
        int codePoint = TakeCodePoint();
        return codePoint switch
        {
            't' => '\t',
            'n' => '\n',
            'v' => '\v',
            'f' => '\f',
            'r' => '\r',
            'a' => '\a',
            'e' => 0x1B,
            'x' => TryTake("{") ? TakeHexadecimal('}', 8) : TakeHexadecimal(null, 2),
            'u' => TakeHexadecimal(null, 4),
            '0' => 0,
            >= '1' and <= '9' => throw Error("back-references are not supported"),
            (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') => throw Error($"the escape \\{(char)codePoint} is not supported"),
            _ => codePoint,
        };
    }

    private int TakeHexadecimal(char? terminator, int digitLimit)
    {
        int start = Position;
        while (!AtEnd && Position - start < digitLimit && char.IsAsciiHexDigit(Peek))
        {
            Position++;
        }

        if (!int.TryParse(pattern.AsSpan(start, Position - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out int codePoint)
            || codePoint is < 0 or > CodePoints.Maximum || (terminator is not null && !TryTake("}")))
        {
            throw Error("malformed hexadecimal escape");
        }

        return codePoint;
    }
}
