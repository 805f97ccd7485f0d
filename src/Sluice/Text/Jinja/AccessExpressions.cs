namespace Sluice.Text.Jinja;

/// <summary><c>target.name</c>: the attribute, else the item.</summary>
internal sealed class MemberExpression(int line, Expression target, string name) : Expression(line)
{
    private readonly Value _key = Value.FromString(name);

    public Expression Target => target;

    public string Name => name;

    public override IEnumerable<Expression> Children => [target];

    protected override Value EvaluateCore(Scope scope)
    {
        return MemberAccess.GetAttribute(target.Evaluate(scope), name, _key);
    }
}

/// <summary><c>target[index]</c>: the item, else the attribute.</summary>
internal sealed class IndexExpression(int line, Expression target, Expression index) : Expression(line)
{
    public Expression Target => target;

    public Expression Index => index;

    public override IEnumerable<Expression> Children => [target, index];

    protected override Value EvaluateCore(Scope scope)
    {
        return MemberAccess.GetItem(target.Evaluate(scope), index.Evaluate(scope), scope.Context);
    }
}

internal sealed class SliceExpression(int line, Expression target, Expression? start, Expression? stop, Expression? step) : Expression(line)
{
    public Expression Target => target;

    public override IEnumerable<Expression> Children => new[] { target, start, stop, step }.OfType<Expression>();

    protected override Value EvaluateCore(Scope scope)
    {
        return MemberAccess.Slice(
            target.Evaluate(scope),
            start?.Evaluate(scope) ?? Value.None,
            stop?.Evaluate(scope) ?? Value.None,
            step?.Evaluate(scope) ?? Value.None,
            scope.Context);
    }
}

/// <summary>The arguments that a call writes; evaluated anew for each call.</summary>
internal sealed record ArgumentList(
    List<Expression> Positional, List<KeyValuePair<string, Expression>> Named, Expression? Sequence, Expression? Mapping)
{
    public static readonly ArgumentList Empty = new([], [], null, null);

    public IEnumerable<Expression> Children =>
        Positional.Concat(Named.Select(named => named.Value)).Concat(new[] { Sequence, Mapping }.OfType<Expression>());

    public CallArguments Evaluate(Scope scope)
    {
        if (ReferenceEquals(this, Empty))
        {
            return CallArguments.Empty;
        }

        List<Value> positional = new(Positional.Count);
        foreach (Expression argument in Positional)
        {
            positional.Add(argument.Evaluate(scope));
        }

        if (Sequence is not null)
        {
            positional.AddRange(PythonTypes.Iterate(Sequence.Evaluate(scope), scope.Context));
        }

        List<KeyValuePair<string, Value>> named = new(Named.Count);
        foreach ((string name, Expression argument) in Named)
        {
            named.Add(new KeyValuePair<string, Value>(name, argument.Evaluate(scope)));
        }

        if (Mapping is not null)
        {
            AddMapping(Mapping.Evaluate(scope), named, scope.Context.Budget);
        }

        return new CallArguments(positional, named);
    }

    private static void AddMapping(Value mapping, List<KeyValuePair<string, Value>> named, RenderBudget budget)
    {
        if (mapping.Kind != ValueKind.Dict)
        {
            throw new ChatTemplateException($"argument after ** must be a mapping, not {PythonTypes.NameOf(mapping)}");
        }

        budget.ChargeSteps(3L * mapping.Dict.Entries.Count);
        foreach ((Value key, Value value) in mapping.Dict.Entries)
        {
            named.Add(new KeyValuePair<string, Value>(key.IsString ? key.Text.ToString() : throw new ChatTemplateException("keywords must be strings"), value));
        }
    }
}

internal sealed class CallExpression(int line, Expression callee, ArgumentList arguments) : Expression(line)
{
    public override IEnumerable<Expression> Children => arguments.Children.Prepend(callee);

    public Value EvaluateWith(Scope scope, string? extraName, Value extra)
    {
        Value function = callee.Evaluate(scope);
        PythonTypes.RequireDefined(function);
        if (function.Kind != ValueKind.Object)
        {
            throw new ChatTemplateException($"'{PythonTypes.NameOf(function)}' object is not callable");
        }

        CallArguments evaluated = arguments.Evaluate(scope);
        if (extraName is not null)
        {
            evaluated = new CallArguments(evaluated.Positional, [.. evaluated.Named, new KeyValuePair<string, Value>(extraName, extra)]);
        }

        return function.Object.Call(scope.Context, evaluated);
    }

    protected override Value EvaluateCore(Scope scope)
    {
        return EvaluateWith(scope, null, default);
    }
}

/// <summary><c>target | name(arguments)</c>; in a filter block the target is the block's text.</summary>
internal sealed class FilterExpression(int line, Expression? target, string name, ArgumentList arguments) : Expression(line)
{
    public Expression? Target => target;

    public override IEnumerable<Expression> Children => target is null ? arguments.Children : arguments.Children.Prepend(target);

    public Value Apply(Value input, Scope scope)
    {
        return Filters.Find(name).Invoke(scope.Context, input, arguments.Evaluate(scope));
    }

    protected override Value EvaluateCore(Scope scope)
    {
        return Apply(target!.Evaluate(scope), scope);
    }
}

/// <summary><c>target is [not] name(arguments)</c>.</summary>
internal sealed class TestExpression(int line, Expression target, string name, ArgumentList arguments, bool isNegated) : Expression(line)
{
    public Expression Target => target;

    public string Name => name;

    public override IEnumerable<Expression> Children => arguments.Children.Prepend(target);

    protected override Value EvaluateCore(Scope scope)
    {
        Value result = Tests.Find(name).Invoke(scope.Context, target.Evaluate(scope), arguments.Evaluate(scope));
        return Value.FromBoolean(PythonTypes.IsTrue(result) != isNegated);
    }
}
