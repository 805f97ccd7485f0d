using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>Recursive descent over expressions, with Jinja's precedences (if, or, and, not, comparison, +-, ~, */, **, sign, postfix, filter).</summary>
internal sealed class ExpressionParser(TokenReader reader)
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    /// <summary>What stands in <c>{{ }}</c>: an expression, or several with commas, which make a tuple.</summary>
    public Expression ParseTupleOrExpression(bool allowConditional = true)
    {
        int line = reader.Line;
        Expression first = allowConditional ? Parse() : ParseOr();
        if (!reader.Current.Is(TokenKind.Operator, ","))
        {
            return first;
        }

        List<Expression> items = [first];
        while (reader.TakeOperator(",") && StartsExpression())
        {
            items.Add(allowConditional ? Parse() : ParseOr());
        }

        return new SequenceExpression(line, [.. items], isTuple: true);
    }

    public Expression Parse()
    {
        reader.Enter();
        int line = reader.Line;
        Expression expression = ParseOr();
        while (reader.TakeName("if"))
        {
            Expression condition = ParseOr();
            Expression? otherwise = reader.TakeName("else") ? Parse() : null;
            expression = new ConditionalExpression(line, condition, expression, otherwise);
        }

        reader.Leave();
        return expression;
    }

    /// <summary>An expression without inline if: what follows <c>in</c> in a for tag, where <c>if</c> is the filter.</summary>
    public Expression ParseOr()
    {
        return ParseLogical("or", () => ParseLogical("and", ParseNot));
    }

    /// <summary>The arguments after an opening bracket that was just read, up to and with the closing one.</summary>
    public ArgumentList ParseArguments()
    {
        List<Expression> positional = [];
        List<KeyValuePair<string, Expression>> named = [];
        Expression? sequence = null;
        Expression? mapping = null;
        bool isFirst = true;
        while (!reader.TakeOperator(")"))
        {
            if (!isFirst)
            {
                reader.ExpectOperator(",");
                if (reader.TakeOperator(")"))
                {
                    break;
                }
            }

            isFirst = false;
            if (reader.TakeOperator("*"))
            {
                sequence = Parse();
            }
            else if (reader.TakeOperator("**"))
            {
                mapping = Parse();
            }
            else if (reader.Current.Kind == TokenKind.Name && reader.Peek.Is(TokenKind.Operator, "="))
            {
                string name = reader.Next().Text;
                reader.Next();
                named.Add(new KeyValuePair<string, Expression>(name, Parse()));
            }
            else if (named.Count > 0 || sequence is not null || mapping is not null)
            {
                throw reader.Unexpected("a named argument");
            }
            else
            {
                positional.Add(Parse());
            }
        }

        return positional.Count + named.Count == 0 && sequence is null && mapping is null
            ? ArgumentList.Empty
            : new ArgumentList(positional, named, sequence, mapping);
    }

    public FilterExpression ParseFilter(Expression? target)
    {
        int line = reader.Line;
        string name = reader.ExpectName();
        while (reader.TakeOperator("."))
        {
            name += "." + reader.ExpectName();
        }

        ArgumentList arguments = reader.TakeOperator("(") ? ParseArguments() : ArgumentList.Empty;
        return new FilterExpression(line, target, name, arguments);
    }

    private Expression ParseLogical(string word, Func<Expression> parseOperand)
    {
        int line = reader.Line;
        Expression first = parseOperand();
        if (!reader.Current.Is(TokenKind.Name, word))
        {
            return first;
        }

        List<Expression> parts = [first];
        while (reader.TakeName(word))
        {
            parts.Add(parseOperand());
        }

        return new LogicalExpression(line, word == "and", parts);
    }

    private Expression ParseNot()
    {
        int line = reader.Line;
        int count = 0;
        while (reader.TakeName("not"))
        {
            count++;
        }

        Expression expression = ParseCompare();
        if (count > 0)
        {
            expression = new NotExpression(line, expression);
        }

        return count > 0 && count % 2 == 0 ? new NotExpression(line, expression) : expression;
    }

    private Expression ParseCompare()
    {
        int line = reader.Line;
        Expression first = ParseArithmetic(["+", "-"], ParseConcat);
        List<KeyValuePair<string, Expression>> rest = [];
        while (true)
        {
            string symbol;
            if (reader.Current.Kind == TokenKind.Operator && Comparisons.Contains(reader.Current.Text))
            {
                symbol = reader.Next().Text;
            }
            else if (reader.TakeName("in"))
            {
                symbol = "in";
            }
            else if (reader.Current.Is(TokenKind.Name, "not") && reader.Peek.Is(TokenKind.Name, "in"))
            {
                reader.Next();
                reader.Next();
                symbol = "not in";
            }
            else
            {
                return rest.Count == 0 ? first : new CompareExpression(line, first, rest);
            }

            rest.Add(new KeyValuePair<string, Expression>(symbol, ParseArithmetic(["+", "-"], ParseConcat)));
        }
    }

    private Expression ParseArithmetic(string[] symbols, Func<Expression> parseOperand)
    {
        int line = reader.Line;
        Expression first = parseOperand();
        List<KeyValuePair<string, Expression>> rest = [];
        while (reader.Current.Kind == TokenKind.Operator && symbols.Contains(reader.Current.Text))
        {
            rest.Add(new KeyValuePair<string, Expression>(reader.Next().Text, parseOperand()));
        }

        return rest.Count == 0 ? first : new ArithmeticExpression(line, first, rest);
    }

    private Expression ParseConcat()
    {
        int line = reader.Line;
        List<Expression> parts = [ParseProduct()];
        while (reader.TakeOperator("~"))
        {
            parts.Add(ParseProduct());
        }

        return parts.Count == 1 ? parts[0] : new ConcatExpression(line, parts);
    }

    private Expression ParseProduct()
    {
        return ParseArithmetic(["*", "/", "//", "%"], () => ParseArithmetic(["**"], () => ParseUnary(withFilters: true)));
    }

    private Expression ParseUnary(bool withFilters)
    {
        reader.Enter();
        int line = reader.Line;
        Expression expression = reader.TakeOperator("-")
            ? new SignExpression(line, ParseUnary(withFilters: false), isNegative: true)
            : reader.TakeOperator("+")
                ? new SignExpression(line, ParseUnary(withFilters: false), isNegative: false)
                : ParsePostfix(ParsePrimary());
        expression = withFilters ? ParseFiltersAndTests(expression) : expression;
        reader.Leave();
        return expression;
    }

    private Expression ParsePostfix(Expression expression)
    {
        int entered = 0;
        while (reader.Current.Kind == TokenKind.Operator && reader.Current.Text is "." or "[" or "(")
        {
            reader.Enter();
            entered++;
            int line = reader.Line;
            expression = reader.Next().Text switch
            {
                "." => ParseMember(line, expression),
                "[" => ParseSubscript(line, expression),
                _ => new CallExpression(line, expression, ParseArguments()),
            };
        }

        for (; entered > 0; entered--)
        {
            reader.Leave();
        }

        return expression;
    }

    private Expression ParseFiltersAndTests(Expression expression)
    {
        int entered = 0;
        while (true)
        {
            int line = reader.Line;
            if (reader.TakeOperator("|"))
            {
                expression = ParseFilter(expression);
            }
            else if (reader.TakeName("is"))
            {
                expression = ParseTest(line, expression);
            }
            else if (reader.TakeOperator("("))
            {
                expression = new CallExpression(line, expression, ParseArguments());
            }
            else
            {
                break;
            }

            reader.Enter();
            entered++;
        }

        for (; entered > 0; entered--)
        {
            reader.Leave();
        }

        return expression;
    }

    private TestExpression ParseTest(int line, Expression target)
    {
        bool isNegated = reader.TakeName("not");
        string name = reader.ExpectName();
        ArgumentList arguments = ArgumentList.Empty;
        if (reader.TakeOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (TakesBareArgument())
        {
            arguments = new ArgumentList([ParsePostfix(ParsePrimary())], [], null, null);
        }

        return new TestExpression(line, target, name, arguments, isNegated);
    }

    /// <summary><c>x is divisibleby 3</c>: an argument without brackets, unless the word after goes on with the outer expression.</summary>
    private bool TakesBareArgument()
    {
        Token token = reader.Current;
        return token.Kind switch
        {
            TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
            TokenKind.Operator => token.Text is "[" or "{",
            TokenKind.Name => token.Text is not ("else" or "or" or "and" or "if" or "is" or "not" or "in" or "recursive"),
            _ => false,
        };
    }

    private Expression ParseMember(int line, Expression target)
    {
        if (reader.Current.Kind == TokenKind.Integer)
        {
            return new IndexExpression(line, target, ParseInteger(reader.Next()));
        }

        return new MemberExpression(line, target, reader.ExpectName());
    }

    private Expression ParseSubscript(int line, Expression target)
    {
        Expression? start = reader.Current.Is(TokenKind.Operator, ":") ? null : ParseTupleOrExpression();
        if (start is not null && reader.TakeOperator("]"))
        {
            return new IndexExpression(line, target, start);
        }

        reader.ExpectOperator(":");
        Expression? stop = IsSliceEnd() ? null : Parse();
        Expression? step = reader.TakeOperator(":") && !IsSliceEnd() ? Parse() : null;
        reader.ExpectOperator("]");
        return new SliceExpression(line, target, start, stop, step);
    }

    private bool IsSliceEnd()
    {
        return reader.Current.Kind == TokenKind.Operator && reader.Current.Text is ":" or "]";
    }

    private bool StartsExpression()
    {
        return reader.Current.Kind switch
        {
            TokenKind.Operator => reader.Current.Text is "(" or "[" or "{" or "-" or "+",
            TokenKind.Name => reader.Current.Text != "in",
            TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
            _ => false,
        };
    }

    private Expression ParsePrimary()
    {
        Token token = reader.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new LiteralExpression(token.Line, Value.True),
                    "false" or "False" => new LiteralExpression(token.Line, Value.False),
                    "none" or "None" => new LiteralExpression(token.Line, Value.None),
                    "self" => throw Lexer.Error("'self' is not available in a chat template", token.Line),
                    _ => new NameExpression(token.Line, token.Text),
                };
            case TokenKind.String:
                string text = token.Text;
                while (reader.Current.Kind == TokenKind.String)
                {
                    text += reader.Next().Text;
                }

                return new LiteralExpression(token.Line, Value.FromString(text));
            case TokenKind.Integer:
                return ParseInteger(token);
            case TokenKind.Float:
                return new LiteralExpression(token.Line, Value.FromFloat(double.Parse(token.Text, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Text == "(":
                return ParseBracketed(token.Line);
            case TokenKind.Operator when token.Text == "[":
                return new SequenceExpression(token.Line, [.. ParseItems("]")], isTuple: false);
            case TokenKind.Operator when token.Text == "{":
                return ParseDict(token.Line);
            default:
                string found = token.Kind == TokenKind.End ? "the end of the template" : $"'{token.Text}'";
                throw Lexer.Error($"expected an expression, found {found}", token.Line);
        }
    }

    private static LiteralExpression ParseInteger(Token token)
    {
        string text = token.Text;
        long value;
        bool isValid = text.Length > 2 && char.IsLetter(text[1])
            ? TryParsePrefixed(text, out value)
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        return isValid
            ? new LiteralExpression(token.Line, Value.FromInteger(value))
            : throw Lexer.Error($"'{text}' is not a 64-bit integer", token.Line);
    }

    private static bool TryParsePrefixed(string text, out long value)
    {
        int numberBase = char.ToLowerInvariant(text[1]) switch { 'x' => 16, 'o' => 8, _ => 2 };
        value = 0;
        foreach (char digit in text.AsSpan(2))
        {
            int number = digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
            if (number >= numberBase || value > (long.MaxValue - number) / numberBase)
            {
                return false;
            }

            value = (value * numberBase) + number;
        }

        return true;
    }

    private Expression ParseBracketed(int line)
    {
        if (reader.TakeOperator(")"))
        {
            return new SequenceExpression(line, [], isTuple: true);
        }

        Expression inner = ParseTupleOrExpression();
        reader.ExpectOperator(")");
        return inner;
    }

    private List<Expression> ParseItems(string close)
    {
        List<Expression> items = [];
        while (!reader.TakeOperator(close))
        {
            if (items.Count > 0)
            {
                reader.ExpectOperator(",");
                if (reader.TakeOperator(close))
                {
                    break;
                }
            }

            items.Add(Parse());
        }

        return items;
    }

    private DictExpression ParseDict(int line)
    {
        List<KeyValuePair<Expression, Expression>> entries = [];
        while (!reader.TakeOperator("}"))
        {
            if (entries.Count > 0)
            {
                reader.ExpectOperator(",");
                if (reader.TakeOperator("}"))
                {
                    break;
                }
            }

            Expression key = Parse();
            reader.ExpectOperator(":");
            entries.Add(new KeyValuePair<Expression, Expression>(key, Parse()));
        }

        return new DictExpression(line, entries);
    }
}
