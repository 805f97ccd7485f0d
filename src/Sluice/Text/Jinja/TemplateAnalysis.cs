namespace Sluice.Text.Jinja;

/// <summary>What can be known of a template without running it.</summary>
internal static class TemplateAnalysis
{
    /// <summary>The names that the template may read from its caller: those read where nothing before has surely bound them.</summary>
    public static HashSet<string> FreeVariables(List<Statement> template)
    {
        HashSet<string> free = new(StringComparer.Ordinal);
        new FreeVariableVisitor(free).Visit(template, [.. Globals.Names]);
        return free;
    }

    /// <summary>
    /// Whether messages' content is iterated as a list of parts: <c>for part in message.content</c>, where message is an
    /// item of messages or of a variable set from it, or <c>for part in content</c>.
    /// </summary>
    public static ChatContentFormat ContentFormat(List<Statement> template)
    {
        List<Statement> all = Flatten(template);
        HashSet<string> messageLists = Aliases(all, ["messages"], null);
        HashSet<string> messages = [];
        foreach (ForStatement loop in all.OfType<ForStatement>())
        {
            if (messageLists.Any(name => Accesses(loop.Items, name, null)))
            {
                messages.UnionWith(loop.Target.Names);
            }
        }

        bool iteratesContent = all.OfType<ForStatement>().Any(loop =>
            Accesses(loop.Items, "content", null) || messages.Any(message => Accesses(loop.Items, message, "content")));
        return iteratesContent ? ChatContentFormat.OpenAi : ChatContentFormat.String;
    }

    /// <summary>Whether the template tells null content from empty content (<c>message['content'] is none</c>).</summary>
    public static bool TestsContentForNone(List<Statement> template)
    {
        return Flatten(template).SelectMany(Expressions).SelectMany(Flatten).OfType<TestExpression>()
            .Any(test => test.Name == "none" && (IsMember(test.Target, "content") || test.Target is NameExpression { Name: "content" }));
    }

    private static HashSet<string> Aliases(List<Statement> all, HashSet<string> names, string? key)
    {
        int before;
        do
        {
            before = names.Count;
            foreach (SetStatement set in all.OfType<SetStatement>())
            {
                if (names.Any(name => Accesses(set.Value, name, key)))
                {
                    names.UnionWith(set.Target.Names);
                }
            }
        }
        while (names.Count > before);
        return names;
    }

    /// <summary>Whether an expression is the variable, or its member, seen through filters, tests and slices.</summary>
    private static bool Accesses(Expression expression, string name, string? member)
    {
        return expression switch
        {
            FilterExpression { Target: { } target } => Accesses(target, name, member),
            TestExpression test => Accesses(test.Target, name, member),
            SliceExpression slice => Accesses(slice.Target, name, member),
            NameExpression variable => member is null && variable.Name == name,
            _ => member is not null && IsMember(expression, member) && OwnerOf(expression) is NameExpression owner && owner.Name == name,
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
