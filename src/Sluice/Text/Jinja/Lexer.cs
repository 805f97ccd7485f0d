using System.Text;

namespace Sluice.Text.Jinja;

/// <summary>
/// Splits a template into text and tags with the settings that Hugging Face uses: trim_blocks (the newline after a
/// block or comment goes), lstrip_blocks (the indentation before one goes), no final newline; <c>-</c> strips
/// whitespace on its side, <c>+</c> turns the automatic stripping off.
/// </summary>
internal sealed class Lexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _position;
    private int _line = 1;

    private Lexer(string source)
    {
        _source = source;
    }

    public static List<Token> Tokenize(string source)
    {
        string normalized = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (normalized.EndsWith('\n'))
        {
            normalized = normalized[..^1];
        }

        Lexer lexer = new(normalized);
        lexer.Run();
        return lexer._tokens;
    }

    public static ChatTemplateException Error(string message, int line)
    {
        return new ChatTemplateException($"{message} (line {line} of the chat template)") { Line = line };
    }

    private void Run()
    {
        while (_position < _source.Length)
        {
            int tag = FindTag(_position);
            if (tag < 0)
            {
                AddData(_source[_position..]);
                _position = _source.Length;
                break;
            }

            char sign = tag + 2 < _source.Length ? _source[tag + 2] : '\0';
            int textStart = _position;
            string text = StripBefore(_source[textStart..tag], sign, isVariable: _source[tag + 1] == '{', textStart);
            AddData(text, _source.AsSpan(textStart, tag - textStart).Count('\n'));
            _position = tag + (sign is '-' or '+' ? 3 : 2);
            switch (_source[tag + 1])
            {
                case '#':
                    SkipComment();
                    break;
                case '{':
                    Add(TokenKind.VariableBegin, "{{");
                    LexExpression("}}", TokenKind.VariableEnd);
                    break;
                default:
                    if (!TryLexRaw())
                    {
                        Add(TokenKind.BlockBegin, "{%");
                        LexExpression("%}", TokenKind.BlockEnd);
                    }

                    break;
            }
        }

        Add(TokenKind.End, "end of template");
    }

    private int FindTag(int from)
    {
        for (int i = _source.IndexOf('{', from); i >= 0 && i + 1 < _source.Length; i = _source.IndexOf('{', i + 1))
        {
            if (_source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }

        return -1;
    }

    private string StripBefore(string text, char sign, bool isVariable, int start)
    {
        if (sign == '-')
        {
            return text.TrimEnd();
        }

        if (sign == '+' || isVariable)
        {
            return text;
        }

        int lineStart = text.LastIndexOf('\n') + 1;
        bool startsLine = lineStart > 0 || start == 0 || _source[start - 1] == '\n';
        return startsLine && string.IsNullOrWhiteSpace(text[lineStart..]) ? text[..lineStart] : text;
    }

    private void SkipComment()
    {
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0)
        {
            throw Error("a comment '{#' is not closed by '#}'", _line);
        }

        char sign = end > _position ? _source[end - 1] : '\0';
        Advance(end + 2);
        StripAfter(sign, trimNewline: true);
    }

    /// <summary>After a closing tag whose last character before the bracket was <paramref name="sign"/>.</summary>
    private void StripAfter(char sign, bool trimNewline)
    {
        if (sign == '-')
        {
            int end = _position;
            while (end < _source.Length && char.IsWhiteSpace(_source[end]))
            {
                end++;
            }

            Advance(end);
        }
        else if (trimNewline && sign != '+' && _position < _source.Length && _source[_position] == '\n')
        {
            Advance(_position + 1);
        }
    }

    private bool TryLexRaw()
    {
        int probe = SkipWhitespace(_position);
        if (!IsWord(probe, "raw"))
        {
            return false;
        }

        probe = SkipWhitespace(probe + 3);
        bool strip = probe < _source.Length && _source[probe] == '-';
        if (string.CompareOrdinal(_source, strip ? probe + 1 : probe, "%}", 0, 2) != 0)
        {
            return false;
        }

        int rawLine = _line;
        Advance((strip ? probe + 1 : probe) + 2);
        StripAfter(strip ? '-' : '\0', trimNewline: false);
        int start = _position;
        for (int tag = _source.IndexOf("{%", start, StringComparison.Ordinal); tag >= 0; tag = _source.IndexOf("{%", tag + 1, StringComparison.Ordinal))
        {
            char sign = tag + 2 < _source.Length ? _source[tag + 2] : '\0';
            int word = SkipWhitespace(tag + (sign is '-' or '+' ? 3 : 2));
            if (!IsWord(word, "endraw"))
            {
                continue;
            }

            int close = SkipWhitespace(word + 6);
            char closeSign = close < _source.Length ? _source[close] : '\0';
            close += closeSign is '-' or '+' ? 1 : 0;
            if (string.CompareOrdinal(_source, close, "%}", 0, 2) != 0)
            {
                continue;
            }

            AddData(StripBefore(_source[start..tag], sign, isVariable: false, start));
            Advance(close + 2);
            StripAfter(closeSign, trimNewline: true);
            return true;
        }

        throw Error("'raw' is not closed by 'endraw'", rawLine);
    }

    private void LexExpression(string close, TokenKind closeKind)
    {
        int openLine = _line;
        int depth = 0;
        while (true)
        {
            Advance(SkipWhitespace(_position));
            if (_position >= _source.Length)
            {
                throw Error($"a tag is not closed by '{close}'", openLine);
            }

            char first = _source[_position];
            if (depth == 0)
            {
                int closeAt = first == '-' || (first == '+' && closeKind == TokenKind.BlockEnd) ? _position + 1 : _position;
                if (string.CompareOrdinal(_source, closeAt, close, 0, 2) == 0)
                {
                    Add(closeKind, close);
                    _position = closeAt + 2;
                    StripAfter(first, trimNewline: closeKind == TokenKind.BlockEnd);
                    return;
                }
            }

            if (first is '\'' or '"')
            {
                LexString(first);
            }
            else if (char.IsAsciiDigit(first))
            {
                LexNumber();
            }
            else if (first == '_' || char.IsLetter(first))
            {
                int end = _position;
                while (end < _source.Length && (_source[end] == '_' || char.IsLetterOrDigit(_source[end])))
                {
                    end++;
                }

                Add(TokenKind.Name, _source[_position..end]);
                _position = end;
            }
            else
            {
                depth += LexOperator(first);
            }
        }
    }

    /// <summary>Adds the operator; gives the change of bracket depth.</summary>
    private int LexOperator(char first)
    {
        string two = _position + 1 < _source.Length ? _source.Substring(_position, 2) : "";
        string text = two is "==" or "!=" or "<=" or ">=" or "//" or "**" ? two : first.ToString();
        if (text.Length == 1 && !"+-*/%~<>=()[]{},.:|;".Contains(first))
        {
            throw Error($"unexpected character '{first}'", _line);
        }

        Add(TokenKind.Operator, text);
        _position += text.Length;
        return first is '(' or '[' or '{' ? 1 : first is ')' or ']' or '}' ? -1 : 0;
    }

    private void LexNumber()
    {
        int end = _position;
        bool isFloat = false;
        if (_source[end] == '0' && end + 1 < _source.Length && char.ToLowerInvariant(_source[end + 1]) is 'x' or 'o' or 'b')
        {
            end += 2;
            while (end < _source.Length && (char.IsAsciiHexDigit(_source[end]) || _source[end] == '_'))
            {
                end++;
            }
        }
        else
        {
            end = SkipDigits(end);
            if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
            {
                isFloat = true;
                end = SkipDigits(end + 1);
            }

            int exponent = end + 1 < _source.Length && _source[end] is 'e' or 'E' ? end + (_source[end + 1] is '+' or '-' ? 2 : 1) : -1;
            if (exponent > 0 && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
            {
                isFloat = true;
                end = SkipDigits(exponent);
            }
        }

        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[_position..end].Replace("_", "", StringComparison.Ordinal));
        _position = end;
    }

    private int SkipDigits(int position)
    {
        while (position < _source.Length && (char.IsAsciiDigit(_source[position]) || _source[position] == '_'))
        {
            position++;
        }

        return position;
    }

    private void LexString(char quote)
    {
        int line = _line;
        StringBuilder value = new();
        int i = _position + 1;
        while (i < _source.Length && _source[i] != quote)
        {
            if (_source[i] == '\\' && i + 1 < _source.Length)
            {
                i += StringEscapes.Decode(_source, i, value);
            }
            else
            {
                value.Append(_source[i]);
                i++;
            }
        }

        if (i >= _source.Length)
        {
            throw Error("a string is not closed", line);
        }

        _tokens.Add(new Token(TokenKind.String, value.ToString(), line));
        Advance(i + 1);
    }

    private bool IsWord(int position, string word)
    {
        int end = position + word.Length;
        return string.CompareOrdinal(_source, position, word, 0, word.Length) == 0
            && (end >= _source.Length || !(char.IsLetterOrDigit(_source[end]) || _source[end] == '_'));
    }

    private int SkipWhitespace(int position)
    {
        while (position < _source.Length && char.IsWhiteSpace(_source[position]))
        {
            position++;
        }

        return position;
    }

    private void Advance(int to)
    {
        _line += _source.AsSpan(_position, to - _position).Count('\n');
        _position = to;
    }

    private void Add(TokenKind kind, string text)
    {
        _tokens.Add(new Token(kind, text, _line));
    }

    private void AddData(string text, int? lineCount = null)
    {
        if (text.Length > 0)
        {
            Add(TokenKind.Data, text);
        }

        _line += lineCount ?? 0;
    }
}
