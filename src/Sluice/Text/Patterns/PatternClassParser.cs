using System.Globalization;

namespace Sluice.Text.Patterns;

/// <summary>Parses what stands for one code point of several: escapes such as \s and \p{L}, and bracketed classes.</summary>
internal sealed class PatternClassParser(PatternCursor cursor)
{
    private const int MaximumDepth = 100;

    private int _depth;

    /// <summary>\s \d \w \h \p{…} and their negations; the backslash is already taken.</summary>
    public bool TryParseEscape(CodePointSet target)
    {
        char kind = cursor.Peek;
        var set = new CodePointSet { Negated = char.IsUpper(kind) };
        switch (char.ToLowerInvariant(kind))
        {
            case 's': set.AddWhiteSpace(); break;
            case 'd': set.AddCategories(1u << (int)UnicodeCategory.DecimalDigitNumber); break;
            case 'w': set.AddWords(); break;
            case 'h':
                set.AddRange('0', '9');
                set.AddRange('A', 'F');
                set.AddRange('a', 'f');
                break;
            case 'p':
                cursor.Position++;
                ParseProperty(set);
                target.Add(set);
                return true;
            default:
                return false;
        }

        cursor.Position++;
        target.Add(set);
        return true;
    }

    private void ParseProperty(CodePointSet set)
    {
        int close = cursor.TryTake("{") ? cursor.Pattern.IndexOf('}', cursor.Position) : -1;
        if (close < 0)
        {
            throw cursor.Error("\\p needs a property name in braces");
        }

        string name = cursor.Pattern[cursor.Position..close];
        if (name.StartsWith('^'))
        {
            set.Negated = !set.Negated;
            name = name[1..];
        }

        if (!UnicodeProperties.TryAdd(set, name))
        {
            throw cursor.Error($"the Unicode property \\p{{{name}}} is not supported");
        }

        cursor.Position = close + 1;
    }

    /// <summary>A bracketed class; the opening bracket is already taken.</summary>
    public CodePointSet Parse(bool ignoreCase)
    {
        if (++_depth > MaximumDepth)
        {
            throw cursor.Error("classes are nested too deeply");
        }

        bool negated = cursor.TryTake("^");
        var set = new CodePointSet { IgnoreCase = ignoreCase };
        CodePointSet part = set;
        bool first = true;
        while (true)
        {
            if (cursor.AtEnd)
            {
                throw cursor.Error("class without ']'");
            }

            if (!first && cursor.TryTake("]"))
            {
                break;
            }

            first = false;
            if (cursor.TryTake("&&"))
            {
                part = new CodePointSet { IgnoreCase = ignoreCase };
                set.IntersectWith(part);
            }
            else if (cursor.TryTake("[:"))
            {
                part.Add(ParsePosixClass());
            }
            else if (cursor.TryTake("["))
            {
                part.Add(Parse(ignoreCase));
            }
            else
            {
                ParseClassRange(part);
            }
        }

        _depth--;
        if (!negated)
        {
            return set;
        }

        var complement = new CodePointSet { Negated = true };
        complement.Add(set);
        return complement;
    }

    private void ParseClassRange(CodePointSet set)
    {
        if (cursor.TryTake("\\"))
        {
            if (cursor.AtEnd)
            {
                throw cursor.Error("the pattern ends in a backslash");
            }

            if (TryParseEscape(set))
            {
                return;
            }

            cursor.Position--;
        }

        int low = TakeClassCodePoint();
        bool isRange = cursor.Position + 1 < cursor.Pattern.Length && cursor.Peek == '-' && cursor.Pattern[cursor.Position + 1] is not (']' or '[');
        if (!isRange)
        {
            set.AddRange(low, low);
            return;
        }

        cursor.Position++;
        int high = TakeClassCodePoint();
        if (high < low)
        {
            throw cursor.Error("class range in reverse order");
        }

        set.AddRange(low, high);
    }

    private int TakeClassCodePoint() => cursor.TryTake("\\")
        ? (cursor.TryTake("b") ? '\b' : cursor.TakeLiteralEscape())
        : cursor.TakeCodePoint();

    private CodePointSet ParsePosixClass()
    {
        int close = cursor.Pattern.IndexOf(":]", cursor.Position, StringComparison.Ordinal);
        if (close < 0)
        {
            throw cursor.Error("POSIX class without ':]'");
        }

        string name = cursor.Pattern[cursor.Position..close];
        var set = new CodePointSet { Negated = name.StartsWith('^') };
        if (!UnicodeProperties.TryAdd(set, name.TrimStart('^')))
        {
            throw cursor.Error($"the class [:{name}:] is not supported");
        }

        cursor.Position = close + 2;
        return set;
    }
}
