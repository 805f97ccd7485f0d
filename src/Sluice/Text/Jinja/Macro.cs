namespace Sluice.Text.Jinja;

internal readonly record struct MacroParameter(string Name, Expression? Default);

/// <summary>The parameters and body of a macro, or of a call block (which has no name), and which of the implicit variables its body reads.</summary>
internal sealed record MacroDefinition(
    string Name, List<MacroParameter> Parameters, List<Statement> Body, bool UsesVarargs, bool UsesKwargs, bool UsesCaller);

internal sealed class MacroStatement(int line, MacroDefinition definition) : Statement(line)
{
    public MacroDefinition Definition => definition;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        scope.Set(definition.Name, new Value(new MacroObject(definition, scope)));
        return Flow.Next;
    }
}

/// <summary><c>{% call(parameters) macro(arguments) %}…{% endcall %}</c>: the macro gets the body as <c>caller</c>.</summary>
internal sealed class CallBlockStatement(int line, CallExpression call, MacroDefinition body) : Statement(line)
{
    public CallExpression Call => call;

    public MacroDefinition Body => body;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        Value result = call.EvaluateWith(scope, "caller", new Value(new MacroObject(body, scope)));
        PythonFormat.Write(result, output, scope.Context);
        return Flow.Next;
    }
}

/// <summary>A macro with the scope it was defined in, which its body sees.</summary>
internal sealed class MacroObject(MacroDefinition definition, Scope scope) : HostObject
{
    public override string TypeName => "Macro";

    public override bool IsCallable => true;

    private string QuotedName => definition.Name.Length == 0 ? "None" : $"'{definition.Name}'";

    public override string Describe()
    {
        return definition.Name.Length == 0 ? "<Macro anonymous>" : $"<Macro {QuotedName}>";
    }

    public override bool TryGetMember(string name, out Value value)
    {
        value = name switch
        {
            "name" => definition.Name.Length == 0 ? Value.None : Value.FromString(definition.Name),
            "arguments" => Value.FromTuple([.. definition.Parameters.Select(parameter => Value.FromString(parameter.Name))]),
            "catch_varargs" => Value.FromBoolean(definition.UsesVarargs),
            "catch_kwargs" => Value.FromBoolean(definition.UsesKwargs),
            "caller" => Value.FromBoolean(definition.UsesCaller),
            _ => default,
        };
        return !value.IsMissing;
    }

    public override Value Call(RenderContext context, CallArguments arguments)
    {
        context.Budget.EnterCall();
        context.Budget.ChargeSteps((long)definition.Parameters.Count * (1 + arguments.Named.Count));
        Scope inner = scope.Child();
        BindPositional(arguments.Positional, inner);
        HashSet<string> bound = [.. definition.Parameters.Take(arguments.Positional.Count).Select(parameter => parameter.Name)];
        BindNamed(arguments.Named, bound, inner);
        foreach (MacroParameter parameter in definition.Parameters)
        {
            if (!bound.Contains(parameter.Name))
            {
                inner.Set(parameter.Name, parameter.Default?.Evaluate(inner)
                    ?? Value.FromUndefined(new UndefinedValue(UndefinedReason.Parameter, default, parameter.Name)));
            }
        }

        TrackedString text = Statement.Capture(definition.Body, inner);
        context.Budget.LeaveCall();
        return new Value(text);
    }

    private ChatTemplateException NotTaken(string name)
    {
        return new ChatTemplateException(name == "caller"
            ? $"macro {QuotedName} was invoked with two values for the special caller argument. This is most likely a bug."
            : $"macro {QuotedName} takes no keyword argument '{name}'");
    }

    private void BindPositional(List<Value> positional, Scope inner)
    {
        int count = Math.Min(positional.Count, definition.Parameters.Count);
        for (int i = 0; i < count; i++)
        {
            inner.Set(definition.Parameters[i].Name, positional[i]);
        }

        if (definition.UsesVarargs)
        {
            inner.Set("varargs", Value.FromTuple(positional[count..]));
        }
        else if (positional.Count > count)
        {
            throw new ChatTemplateException($"macro {QuotedName} takes not more than {definition.Parameters.Count} argument(s)");
        }
    }

    private void BindNamed(List<KeyValuePair<string, Value>> named, HashSet<string> bound, Scope inner)
    {
        DictValue extra = new();
        foreach ((string name, Value value) in named)
        {
            if (definition.Parameters.Exists(parameter => parameter.Name == name))
            {
                inner.Set(name, bound.Add(name) ? value : throw NotTaken(name));
            }
            else if (name == "caller" && definition.UsesCaller)
            {
                inner.Set(name, value);
            }
            else if (definition.UsesKwargs)
            {
                extra.Entries[Value.FromString(name)] = value;
            }
            else
            {
                throw NotTaken(name);
            }
        }

        if (definition.UsesKwargs)
        {
            inner.Set("kwargs", new Value(extra));
        }
    }
}
