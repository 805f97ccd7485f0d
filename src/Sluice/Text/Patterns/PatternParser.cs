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

    private readonly PatternCursor _cursor;
    private readonly PatternClassParser _classes;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotMatchesNewline;

    private PatternParser(string pattern)
    {
        _cursor = new PatternCursor(pattern);
        _classes = new PatternClassParser(_cursor);
    }

    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        PatternNode node = parser.ParseAlternation();
        return parser._cursor.AtEnd ? node : throw parser._cursor.Error("unmatched ')'");
    }

    private PatternNode ParseAlternation()
    {
        if (++_depth > MaximumDepth)
        {
            throw _cursor.Error("groups are nested too deeply");
        }

        // A flag group without a body, "(?i)", holds to the end of the group around it.
        (bool ignoreCase, bool dotMatchesNewline) = (_ignoreCase, _dotMatchesNewline);
        List<PatternNode> branches = [ParseSequence()];
        while (_cursor.TryTake("|"))
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
        while (!_cursor.AtEnd && _cursor.Peek is not ('|' or ')'))
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
        while (!_cursor.AtEnd)
        {
            int minimum;
            int maximum;
            bool braces = false;
            switch (_cursor.Peek)
            {
                case '*': (minimum, maximum) = (0, int.MaxValue); break;
                case '+': (minimum, maximum) = (1, int.MaxValue); break;
                case '?': (minimum, maximum) = (0, 1); break;
                case '{' when TryParseBraces(out minimum, out maximum): braces = true; break;
                default: return atom;
            }

            _cursor.Position += braces ? 0 : 1;
            RepeatMode mode = RepeatMode.Greedy;
            if (_cursor.TryTake("?"))
            {
                mode = RepeatMode.Lazy;
            }
            else if (!braces && _cursor.TryTake("+"))
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
        int close = _cursor.Pattern.IndexOf('}', _cursor.Position);
        if (close < 0)
        {
            return false;
        }

        ReadOnlySpan<char> body = _cursor.Pattern.AsSpan(_cursor.Position + 1, close - _cursor.Position - 1);
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
            throw _cursor.Error($"repeat {{{body}}} is out of range (0 to {MaximumRepeat}, the smaller number first)");
        }

        _cursor.Position = close + 1;
        return true;
    }

    private PatternNode? ParseAtom()
    {
        switch (_cursor.Peek)
        {
            case '(':
                _cursor.Position++;
                return ParseGroup();
            case '[':
                _cursor.Position++;
                return new PatternNode.Set(_classes.Parse(_ignoreCase));
            case '.':
                _cursor.Position++;
                var any = new CodePointSet { Negated = true };
                if (!_dotMatchesNewline)
                {
                    any.AddRange('\n', '\n');
                }

                return new PatternNode.Set(any);
            case '^':
                _cursor.Position++;
                return new PatternNode.Assertion(Anchor.LineStart);
            case '$':
                _cursor.Position++;
                return new PatternNode.Assertion(Anchor.LineEnd);
            case '*' or '+' or '?':
                throw _cursor.Error($"'{_cursor.Peek}' repeats nothing");
            case '\\':
                _cursor.Position++;
                return ParseEscape();
            default:
                return new PatternNode.Set(CodePointSet.Of(_cursor.TakeCodePoint(), _ignoreCase));
        }
    }

    private PatternNode ParseEscape()
    {
        if (_cursor.AtEnd)
        {
            throw _cursor.Error("the pattern ends in a backslash");
        }

        Anchor? anchor = _cursor.Peek switch
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
            _cursor.Position++;
            return new PatternNode.Assertion(anchor.Value);
        }

        var set = new CodePointSet { IgnoreCase = _ignoreCase };
        if (!_classes.TryParseEscape(set))
        {
            int literal = _cursor.TakeLiteralEscape();
            set.AddRange(literal, literal);
        }

        return new PatternNode.Set(set);
    }

    private PatternNode? ParseGroup()
    {
        Func<PatternNode, PatternNode> wrap = static body => body;
        (bool ignoreCase, bool dotMatchesNewline) = (_ignoreCase, _dotMatchesNewline);
        if (_cursor.TryTake("?"))
        {
            if (_cursor.TryTake("=") || _cursor.TryTake("!"))
            {
                bool negative = _cursor.Pattern[_cursor.Position - 1] == '!';
                wrap = body => new PatternNode.Look(body, Behind: false, negative);
            }
            else if (_cursor.TryTake("<=") || _cursor.TryTake("<!"))
            {
                bool negative = _cursor.Pattern[_cursor.Position - 1] == '!';
                wrap = body => new PatternNode.Look(body, Behind: true, negative);
            }
            else if (_cursor.TryTake(">"))
            {
                wrap = static body => new PatternNode.Atomic(body);
            }
            else if (_cursor.TryTake("<") || _cursor.TryTake("P<"))
            {
                int close = _cursor.Pattern.IndexOf('>', _cursor.Position);
                _cursor.Position = close < 0 ? throw _cursor.Error("group name without '>'") : close + 1;
            }
            else if (!_cursor.TryTake(":") && ParseFlags())
            {
                return null;
            }
        }

        PatternNode node = ParseAlternation();
        (_ignoreCase, _dotMatchesNewline) = (ignoreCase, dotMatchesNewline);
        return _cursor.TryTake(")") ? wrap(node) : throw _cursor.Error("group without ')'");
    }

    /// <summary>Flags up to ':' (false: a body follows) or ')' (true: they hold for the rest of the group around).</summary>
    private bool ParseFlags()
    {
        bool value = true;
        while (true)
        {
            switch (_cursor.TakeCodePoint())
            {
                case '-': value = false; break;
                case 'i': _ignoreCase = value; break;
                case 'm': _dotMatchesNewline = value; break;
                case ':': return false;
                case ')': return true;
                default: throw _cursor.Error("this kind of group or flag is not supported");
            }
        }
    }
}
