namespace Sluice.Text.Jinja;

/// <summary>Parses the tags of a template into statements.</summary>
internal sealed class TemplateParser
{
    private static readonly string[] Unavailable = ["import", "from", "include", "extends", "block", "autoescape", "trans", "do", "debug"];

    private readonly TokenReader _reader;
    private readonly ExpressionParser _expressions;
    private int _loopDepth;

    private TemplateParser(List<Token> tokens)
    {
        _reader = new TokenReader(tokens);
        _expressions = new ExpressionParser(_reader);
    }

    public static List<Statement> Parse(string source)
    {
        TemplateParser parser = new(Lexer.Tokenize(source));
        return parser.ParseBody([], "the template");
    }

    /// <summary>
    /// Statements up to a tag whose word is one of <paramref name="endings"/>; the word is read, what follows it is not.
    /// </summary>
    private List<Statement> ParseBody(string[] endings, string owner)
    {
        _reader.Enter();
        List<Statement> body = [];
        while (true)
        {
            Token token = _reader.Next();
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataStatement(token.Line, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    body.Add(new OutputStatement(token.Line, _expressions.ParseTupleOrExpression()));
                    _reader.Expect(TokenKind.VariableEnd, "'}}'");
                    break;
                case TokenKind.BlockBegin:
                    if (_reader.Current.Kind == TokenKind.Name && endings.Contains(_reader.Current.Text))
                    {
                        _reader.Leave();
                        return body;
                    }

                    body.Add(ParseTag(token.Line));
                    break;
                case TokenKind.End when endings.Length == 0:
                    _reader.Leave();
                    return body;
                default:
                    throw Lexer.Error($"{owner} is not closed by '{endings[^1]}'", token.Line);
            }
        }
    }

    private List<Statement> ParseClosedBody(string tag, string ending)
    {
        int line = _reader.Line;
        CloseTag();
        List<Statement> body = ParseBody([ending], $"'{tag}' of line {line}");
        _reader.ExpectName(ending);
        CloseTag();
        return body;
    }

    private Statement ParseTag(int line)
    {
        string word = _reader.ExpectName();
        switch (word)
        {
            case "if":
                return ParseIf(line);
            case "for":
                return ParseFor(line);
            case "set":
                return ParseSet(line);
            case "macro":
                return ParseMacro(line);
            case "call":
                return ParseCall(line);
            case "filter":
                List<FilterExpression> filters = [_expressions.ParseFilter(null)];
                ParseFilterChain(filters);
                return new CaptureStatement(line, null, filters, ParseClosedBody(word, "endfilter"));
            case "with":
                return ParseWith(line);
            case "generation":
                return new ScopedStatement(line, [], ParseClosedBody(word, "endgeneration"));
            case "break" or "continue" when _loopDepth > 0:
                CloseTag();
                return new LoopControlStatement(line, word == "break" ? Flow.Break : Flow.Continue);
            default:
                throw Lexer.Error(
                    Unavailable.Contains(word) ? $"the tag '{word}' is not available in a chat template" : $"unknown or misplaced tag '{word}'", line);
        }
    }

    private void CloseTag()
    {
        _reader.Expect(TokenKind.BlockEnd, "'%}'");
    }

    private IfStatement ParseIf(int line)
    {
        List<KeyValuePair<Expression, List<Statement>>> branches = [];
        List<Statement>? otherwise = null;
        string word = "if";
        while (word != "endif")
        {
            if (word == "else")
            {
                CloseTag();
                otherwise = ParseBody(["endif"], $"'if' of line {line}");
            }
            else
            {
                Expression condition = _expressions.ParseTupleOrExpression();
                CloseTag();
                List<Statement> body = ParseBody(["elif", "else", "endif"], $"'if' of line {line}");
                branches.Add(new KeyValuePair<Expression, List<Statement>>(condition, body));
            }

            word = _reader.ExpectName();
        }

        CloseTag();
        return new IfStatement(line, branches, otherwise);
    }

    private ForStatement ParseFor(int line)
    {
        AssignmentTarget target = ParseTarget();
        _reader.ExpectName("in");
        Expression items = _expressions.ParseTupleOrExpression(allowConditional: false);
        Expression? filter = _reader.TakeName("if") ? _expressions.Parse() : null;
        bool isRecursive = _reader.TakeName("recursive");
        CloseTag();
        _loopDepth++;
        List<Statement> body = ParseBody(["else", "endfor"], $"'for' of line {line}");
        _loopDepth--;
        List<Statement>? otherwise = null;
        if (_reader.ExpectName() == "else")
        {
            CloseTag();
            otherwise = ParseBody(["endfor"], $"'for' of line {line}");
            _reader.ExpectName("endfor");
        }

        CloseTag();
        return new ForStatement(line, target, items, filter, body, otherwise, isRecursive);
    }

    private Statement ParseSet(int line)
    {
        AssignmentTarget target = ParseTarget();
        if (_reader.TakeOperator("="))
        {
            Expression value = _expressions.ParseTupleOrExpression();
            CloseTag();
            return new SetStatement(line, target, value);
        }

        List<FilterExpression> filters = [];
        ParseFilterChain(filters);
        return new CaptureStatement(line, target, filters, ParseClosedBody("set", "endset"));
    }

    private void ParseFilterChain(List<FilterExpression> filters)
    {
        while (_reader.TakeOperator("|"))
        {
            filters.Add(_expressions.ParseFilter(null));
        }
    }

    private MacroStatement ParseMacro(int line)
    {
        string name = _reader.ExpectName();
        _reader.ExpectOperator("(");
        return new MacroStatement(line, ParseCallable(name, ParseParameters(), "macro", "endmacro"));
    }

    private CallBlockStatement ParseCall(int line)
    {
        List<MacroParameter> parameters = _reader.TakeOperator("(") ? ParseParameters() : [];
        if (_expressions.ParseOr() is not CallExpression call)
        {
            throw Lexer.Error("'call' needs a macro call", line);
        }

        return new CallBlockStatement(line, call, ParseCallable("", parameters, "call", "endcall"));
    }

    private MacroDefinition ParseCallable(string name, List<MacroParameter> parameters, string tag, string ending)
    {
        int from = _reader.Position;
        int outerLoopDepth = _loopDepth;
        _loopDepth = 0;
        List<Statement> body = ParseClosedBody(tag, ending);
        _loopDepth = outerLoopDepth;
        int to = _reader.Position;
        return new MacroDefinition(
            name, parameters, body, _reader.Mentions("varargs", from, to), _reader.Mentions("kwargs", from, to), _reader.Mentions("caller", from, to));
    }

    /// <summary>The parameters after an opening bracket that was just read.</summary>
    private List<MacroParameter> ParseParameters()
    {
        List<MacroParameter> parameters = [];
        while (!_reader.TakeOperator(")"))
        {
            if (parameters.Count > 0)
            {
                _reader.ExpectOperator(",");
            }

            string name = _reader.ExpectName();
            Expression? fallback = _reader.TakeOperator("=") ? _expressions.Parse() : null;
            parameters.Add(new MacroParameter(name, fallback));
        }

        return parameters;
    }

    private ScopedStatement ParseWith(int line)
    {
        List<KeyValuePair<AssignmentTarget, Expression>> variables = [];
        while (_reader.Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0)
            {
                _reader.ExpectOperator(",");
            }

            AssignmentTarget target = ParseSingleTarget();
            _reader.ExpectOperator("=");
            variables.Add(new KeyValuePair<AssignmentTarget, Expression>(target, _expressions.Parse()));
        }

        return new ScopedStatement(line, variables, ParseClosedBody("with", "endwith"));
    }

    private AssignmentTarget ParseTarget()
    {
        AssignmentTarget first = ParseSingleTarget();
        if (!_reader.Current.Is(TokenKind.Operator, ","))
        {
            return first;
        }

        List<AssignmentTarget> targets = [first];
        while (_reader.TakeOperator(",") && ((_reader.Current.Kind == TokenKind.Name && _reader.Current.Text != "in") || _reader.Current.Is(TokenKind.Operator, "(")))
        {
            targets.Add(ParseSingleTarget());
        }

        return new TupleTarget(targets);
    }

    private AssignmentTarget ParseSingleTarget()
    {
        if (_reader.TakeOperator("("))
        {
            _reader.Enter();
            AssignmentTarget inner = ParseTarget();
            _reader.ExpectOperator(")");
            _reader.Leave();
            return inner is TupleTarget ? inner : new TupleTarget([inner]);
        }

        string name = _reader.ExpectName();
        if (name is "true" or "false" or "none" or "True" or "False" or "None" or "self")
        {
            throw Lexer.Error($"cannot assign to '{name}'", _reader.Line);
        }

        return _reader.TakeOperator(".") ? new NamespaceTarget(name, _reader.ExpectName()) : new NameTarget(name);
    }
}
