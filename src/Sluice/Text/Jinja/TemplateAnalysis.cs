namespace Sluice.Text.Jinja;

/// <summary>What can be known of a template without running it.</summary>
internal static class TemplateAnalysis
{
    /// <summary>The names that the template may read from its caller: those read where nothing before has surely bound them.</summary>
    public static HashSet<string> FreeVariables(List<Statement> template)
    {
        HashSet<string> free = new(StringComparer.Ordinal);
        new FreeVariableVisitor(free).Visit(template, new BoundNames(null, [.. Globals.Names]));
        return free;
    }

    /// <summary>
    /// Whether messages' content is iterated as a list of parts: <c>for part in message.content</c>, where message is an
    /// item of messages or of a variable set from it, or <c>for part in content</c>.
    /// </summary>
    public static ChatContentFormat ContentFormat(List<Statement> template)
    {
        List<Statement> all = Flatten(template);
        HashSet<string> messageLists = MessageLists(all);
        HashSet<string> messages = [];
        foreach (ForStatement loop in all.OfType<ForStatement>())
        {
            if (Unwrap(loop.Items) is NameExpression list && messageLists.Contains(list.Name))
            {
                messages.UnionWith(loop.Target.Names);
            }
        }

        bool iteratesContent = all.OfType<ForStatement>().Any(loop => Unwrap(loop.Items) switch
        {
            NameExpression variable => variable.Name == "content",
            Expression items => IsMember(items, "content") && OwnerOf(items) is NameExpression message && messages.Contains(message.Name),
        });
        return iteratesContent ? ChatContentFormat.OpenAi : ChatContentFormat.String;
    }

    /// <summary>Whether the template tells null content from empty content (<c>message['content'] is none</c>).</summary>
    public static bool TestsContentForNone(List<Statement> template)
    {
        return Flatten(template).SelectMany(Expressions).SelectMany(Flatten).OfType<TestExpression>()
            .Any(test => test.Name == "none" && (IsMember(test.Target, "content") || test.Target is NameExpression { Name: "content" }));
    }

    /// <summary>The variables that are messages, or were set from such a variable.</summary>
    private static HashSet<string> MessageLists(List<Statement> all)
    {
        HashSet<string> lists = ["messages"];
        foreach (SetStatement set in all.OfType<SetStatement>())
        {
            if (Unwrap(set.Value) is NameExpression source && lists.Contains(source.Name))
            {
                lists.UnionWith(set.Target.Names);
            }
        }

        return lists;
    }

    /// <summary>What is seen through filters, tests and slices.</summary>
    private static Expression Unwrap(Expression expression)
    {
        return expression switch
        {
            FilterExpression { Target: { } target } => Unwrap(target),
            TestExpression test => Unwrap(test.Target),
            SliceExpression slice => Unwrap(slice.Target),
            _ => expression,
        };
    }

    private static bool IsMember(Expression expression, string member)
    {
        return expression switch
        {
            MemberExpression access => access.Name == member,
            IndexExpression { Index: LiteralExpression { Value.IsString: true } index } => index.Value.Text.AsSpan().SequenceEqual(member),
            _ => false,
        };
    }

    private static Expression? OwnerOf(Expression expression)
    {
        return expression switch { MemberExpression access => access.Target, IndexExpression index => index.Target, _ => null };
    }

    private static IEnumerable<Expression> Flatten(Expression expression)
    {
        return expression.Children.SelectMany(Flatten).Prepend(expression);
    }

    private static List<Statement> Flatten(List<Statement> statements)
    {
        List<Statement> all = [];
        foreach (Statement statement in statements)
        {
            all.Add(statement);
            foreach (List<Statement> body in Bodies(statement))
            {
                all.AddRange(Flatten(body));
            }
        }

        return all;
    }

    private static IEnumerable<List<Statement>> Bodies(Statement statement)
    {
        return statement switch
        {
            IfStatement branch => branch.Branches.Select(pair => pair.Value).Concat(Present(branch.Otherwise)),
            ForStatement loop => Present(loop.Body).Concat(Present(loop.Otherwise)),
            ScopedStatement scoped => [scoped.Body],
            CaptureStatement capture => [capture.Body],
            MacroStatement macro => [macro.Definition.Body],
            CallBlockStatement call => [call.Body.Body],
            _ => [],
        };
    }

    private static IEnumerable<Expression> Expressions(Statement statement)
    {
        return statement switch
        {
            OutputStatement output => [output.Expression],
            IfStatement branch => branch.Branches.Select(pair => pair.Key),
            ForStatement loop => loop.Filter is null ? [loop.Items] : [loop.Items, loop.Filter],
            ScopedStatement scoped => scoped.Variables.Select(pair => pair.Value),
            CaptureStatement capture => capture.Filters,
            SetStatement set => [set.Value],
            MacroStatement macro => macro.Definition.Parameters.Select(parameter => parameter.Default).OfType<Expression>(),
            CallBlockStatement call => call.Body.Parameters.Select(parameter => parameter.Default).OfType<Expression>().Prepend(call.Call),
            _ => [],
        };
    }

    private static IEnumerable<List<Statement>> Present(List<Statement>? body)
    {
        return body is null ? [] : [body];
    }
}
