using System.Globalization;

namespace Sluice.Text.Patterns;

/// <summary>
/// Parses the regular-expression dialect of tokenizer.json files (Oniguruma's default syntax): alternation, groups,
/// classes with nesting and intersection, Unicode properties, greedy, lazy and possessive repeats, look-around, inline
/// flags. Captures are groups; back-references and conditionals are errors.
/// </summary>
internal sealed class PatternParser
{
    // Deep nesting would overflow the stack of the recursive descent.
    private const int MaximumDepth = 100;
    private const int MaximumRepeat = 1000;

    private readonly string _pattern;
    private int _position;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotMatchesNewline;

    private PatternParser(string pattern) => _pattern = pattern;

    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        PatternNode node = parser.ParseAlternation();
        return parser._position == pattern.Length ? node : throw parser.Error("unmatched ')'");
    }

    private PatternException Error(string what) => new($"{what} at position {_position}");

    private bool AtEnd => _position >= _pattern.Length;

    private char Peek => _pattern[_position];

    private bool TryTake(string expected)
    {
        if (string.CompareOrdinal(_pattern, _position, expected, 0, expected.Length) != 0)
        {
            return false;
        }

        _position += expected.Length;
        return true;
    }

    private int TakeCodePoint()
    {
        if (AtEnd)
        {
            throw Error("the pattern ends too early");
        }

        int codePoint = CodePoints.At(_pattern, _position, out int unitCount);
        _position += unitCount;
        return codePoint;
    }

    private PatternNode ParseAlternation()
    {
        if (++_depth > MaximumDepth)
        {
            throw Error("groups are nested too deeply");
        }

        // A flag group without a body, "(?i)", holds to the end of the group around it.
        (bool ignoreCase, bool dotMatchesNewline) = (_ignoreCase, _dotMatchesNewline);
        List<PatternNode> branches = [ParseSequence()];
        while (TryTake("|"))
        {
            branches.Add(ParseSequence());
        }

        (_ignoreCase, _dotMatchesNewline) = (ignoreCase, dotMatchesNewline);
        _depth--;
        return branches.Count == 1 ? branches[0] : new PatternNode.Alternation(branches);
    }

    private PatternNode.Sequence ParseSequence()
    {
        List<PatternNode> items = [];
        while (!AtEnd && Peek is not ('|' or ')'))
        {
            PatternNode? atom = ParseAtom();
            if (atom is not null)
            {
                items.Add(ParseRepeats(atom));
            }
        }

        return new PatternNode.Sequence(items);
    }

    private PatternNode ParseRepeats(PatternNode atom)
    {
        while (!AtEnd)
        {
            int minimum;
            int maximum;
            bool braces = false;
            switch (Peek)
            {
                case '*': (minimum, maximum) = (0, int.MaxValue); break;
                case '+': (minimum, maximum) = (1, int.MaxValue); break;
                case '?': (minimum, maximum) = (0, 1); break;
                case '{' when TryParseBraces(out minimum, out maximum): braces = true; break;
                default: return atom;
            }

            _position += braces ? 0 : 1;
            RepeatMode mode = RepeatMode.Greedy;
            if (TryTake("?"))
            {
                mode = RepeatMode.Lazy;
            }
            else if (!braces && TryTake("+"))
            {
                // After braces a plus is one more repeat in this dialect, not a possessive mark.
                mode = RepeatMode.Possessive;
            }

            atom = new PatternNode.Repeat(atom, minimum, maximum, mode);
        }

        return atom;
    }

    private bool TryParseBraces(out int minimum, out int maximum)
    {
        (minimum, maximum) = (0, int.MaxValue);
        int close = _pattern.IndexOf('}', _position);
        if (close < 0)
        {
            return false;
        }

        ReadOnlySpan<char> body = _pattern.AsSpan(_position + 1, close - _position - 1);
        int comma = body.IndexOf(',');
        ReadOnlySpan<char> low = comma < 0 ? body : body[..comma];
        ReadOnlySpan<char> high = comma < 0 ? body : body[(comma + 1)..];
        if (body.Length == 0 || body is ","
            || (low.Length > 0 && !int.TryParse(low, NumberStyles.None, CultureInfo.InvariantCulture, out minimum))
            || (high.Length > 0 && !int.TryParse(high, NumberStyles.None, CultureInfo.InvariantCulture, out maximum)))
        {
            return false;
        }

        if (minimum > maximum || minimum > MaximumRepeat || (maximum > MaximumRepeat && maximum != int.MaxValue))
        {
            throw Error($"repeat {{{body}}} is out of range (0 to {MaximumRepeat}, the smaller number first)");
        }

        _position = close + 1;
        return true;
    }

    private PatternNode? ParseAtom()
    {
        switch (Peek)
        {
            case '(':
                _position++;
                return ParseGroup();
            case '[':
                _position++;
                return new PatternNode.Set(ParseClass());
            case '.':
                _position++;
                var any = new CodePointSet { Negated = true };
                if (!_dotMatchesNewline)
                {
                    any.AddRange('\n', '\n');
                }

                return new PatternNode.Set(any);
            case '^':
                _position++;
                return new PatternNode.Assertion(Anchor.LineStart);
            case '$':
                _position++;
                return new PatternNode.Assertion(Anchor.LineEnd);
            case '*' or '+' or '?':
                throw Error($"'{Peek}' repeats nothing");
            case '\\':
                _position++;
                return ParseEscape();
            default:
                return new PatternNode.Set(CodePointSet.Of(TakeCodePoint(), _ignoreCase));
        }
    }

    private PatternNode ParseEscape()
    {
        if (AtEnd)
        {
            throw Error("the pattern ends in a backslash");
        }

        Anchor? anchor = Peek switch
        {
            'A' => Anchor.TextStart,
            'z' => Anchor.TextEnd,
            'Z' => Anchor.TextEndOrFinalNewline,
            'b' => Anchor.WordBoundary,
            'B' => Anchor.NotWordBoundary,
            _ => null,
        };
        if (anchor is not null)
        {
            _position++;
            return new PatternNode.Assertion(anchor.Value);
        }

        var set = new CodePointSet { IgnoreCase = _ignoreCase };
        if (!TryParseClassEscape(set))
        {
            int literal = ParseLiteralEscape();
            set.AddRange(literal, literal);
        }

        return new PatternNode.Set(set);
    }

    /// <summary>\s \d \w \h \p{…} and their negations; the backslash is already taken.</summary>
    private bool TryParseClassEscape(CodePointSet target)
    {
        char kind = Peek;
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
                _position++;
                ParseProperty(set);
                target.Add(set);
                return true;
            default:
                return false;
        }

        _position++;
        target.Add(set);
        return true;
    }

    private void ParseProperty(CodePointSet set)
    {
        int close = TryTake("{") ? _pattern.IndexOf('}', _position) : -1;
        if (close < 0)
        {
            throw Error("\\p needs a property name in braces");
        }

        string name = _pattern[_position..close];
        if (name.StartsWith('^'))
        {
            set.Negated = !set.Negated;
            name = name[1..];
        }

        if (!UnicodeProperties.TryAdd(set, name))
        {
            throw Error($"the Unicode property \\p{{{name}}} is not supported");
        }

        _position = close + 1;
    }

    private int ParseLiteralEscape()
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
            'x' => TryTake("{") ? ParseHex('}', 8) : ParseHex(null, 2),
            'u' => ParseHex(null, 4),
            '0' => 0,
            >= '1' and <= '9' => throw Error("back-references are not supported"),
            (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') => throw Error($"the escape \\{(char)codePoint} is not supported"),
            _ => codePoint,
        };
    }

    private int ParseHex(char? terminator, int digitLimit)
    {
        int start = _position;
        while (!AtEnd && _position - start < digitLimit && char.IsAsciiHexDigit(Peek))
        {
            _position++;
        }

        if (!int.TryParse(_pattern.AsSpan(start, _position - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out int codePoint)
            || codePoint is < 0 or > CodePoints.Maximum || (terminator is not null && !TryTake("}")))
        {
            throw Error("malformed hexadecimal escape");
        }

        return codePoint;
    }

    private PatternNode? ParseGroup()
    {
        Func<PatternNode, PatternNode> wrap = static body => body;
        (bool ignoreCase, bool dotMatchesNewline) = (_ignoreCase, _dotMatchesNewline);
        if (TryTake("?"))
        {
            if (TryTake("=") || TryTake("!"))
            {
                bool negative = _pattern[_position - 1] == '!';
                wrap = body => new PatternNode.Look(body, Behind: false, negative);
            }
            else if (TryTake("<=") || TryTake("<!"))
            {
                bool negative = _pattern[_position - 1] == '!';
                wrap = body => new PatternNode.Look(body, Behind: true, negative);
            }
            else if (TryTake(">"))
            {
                wrap = static body => new PatternNode.Atomic(body);
            }
            else if (TryTake("<") || TryTake("P<"))
            {
                int close = _pattern.IndexOf('>', _position);
                _position = close < 0 ? throw Error("group name without '>'") : close + 1;
            }
            else if (!TryTake(":") && ParseFlags())
            {
                return null;
            }
        }

        PatternNode node = ParseAlternation();
        (_ignoreCase, _dotMatchesNewline) = (ignoreCase, dotMatchesNewline);
        return TryTake(")") ? wrap(node) : throw Error("group without ')'");
    }

    /// <summary>Flags up to ':' (false: a body follows) or ')' (true: they hold for the rest of the group around).</summary>
    private bool ParseFlags()
    {
        bool value = true;
        while (true)
        {
            switch (TakeCodePoint())
            {
                case '-': value = false; break;
                case 'i': _ignoreCase = value; break;
                case 'm': _dotMatchesNewline = value; break;
                case ':': return false;
                case ')': return true;
                default: throw Error("this kind of group or flag is not supported");
            }
        }
    }

    /// <summary>A bracketed class; the opening bracket is already taken.</summary>
    private CodePointSet ParseClass()
    {
        if (++_depth > MaximumDepth)
        {
            throw Error("classes are nested too deeply");
        }

        bool negated = TryTake("^");
        var set = new CodePointSet { IgnoreCase = _ignoreCase };
        CodePointSet part = set;
        bool first = true;
        while (true)
        {
            if (AtEnd)
            {
                throw Error("class without ']'");
            }

            if (!first && TryTake("]"))
            {
                break;
            }

            first = false;
            if (TryTake("&&"))
            {
                part = new CodePointSet { IgnoreCase = _ignoreCase };
                set.IntersectWith(part);
            }
            else if (TryTake("[:"))
            {
                part.Add(ParsePosixClass());
            }
            else if (TryTake("["))
            {
                part.Add(ParseClass());
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
        if (TryTake("\\"))
        {
            if (AtEnd)
            {
                throw Error("the pattern ends in a backslash");
            }

            if (TryParseClassEscape(set))
            {
                return;
            }

            _position--;
        }

        int low = TakeClassCodePoint();
        bool isRange = _position + 1 < _pattern.Length && Peek == '-' && _pattern[_position + 1] is not (']' or '[');
        if (!isRange)
        {
            set.AddRange(low, low);
            return;
        }

        _position++;
        int high = TakeClassCodePoint();
        if (high < low)
        {
            throw Error("class range in reverse order");
        }

        set.AddRange(low, high);
    }

    private int TakeClassCodePoint() => TryTake("\\")
        ? (TryTake("b") ? '\b' : ParseLiteralEscape())
        : TakeCodePoint();

    private CodePointSet ParsePosixClass()
    {
        int close = _pattern.IndexOf(":]", _position, StringComparison.Ordinal);
        if (close < 0)
        {
            throw Error("POSIX class without ':]'");
        }

        string name = _pattern[_position..close];
        var set = new CodePointSet { Negated = name.StartsWith('^') };
        if (!UnicodeProperties.TryAdd(set, name.TrimStart('^')))
        {
            throw Error($"the class [:{name}:] is not supported");
        }

        _position = close + 2;
        return set;
    }
}
