namespace Sluice.Text.Jinja;

/// <summary>A node of the syntax tree that has a value. Parsed once, evaluated by many threads: nodes hold no state.</summary>
internal abstract class Expression(int line)
{
    public int Line { get; } = line;

    public virtual IEnumerable<Expression> Children => [];

    public Value Evaluate(Scope scope)
    {
        scope.Context.Budget.Step(Line);
        return EvaluateCore(scope);
    }

    protected abstract Value EvaluateCore(Scope scope);
}

internal sealed class LiteralExpression(int line, Value value) : Expression(line)
{
    public Value Value { get; } = value;

    protected override Value EvaluateCore(Scope scope)
    {
        return Value;
    }
}

internal sealed class NameExpression(int line, string name) : Expression(line)
{
    public string Name { get; } = name;

    protected override Value EvaluateCore(Scope scope)
    {
        return scope.TryGet(Name, out Value value) ? value : Value.UndefinedName(Name);
    }
}

internal sealed class SequenceExpression(int line, Expression[] items, bool isTuple) : Expression(line)
{
    public override IEnumerable<Expression> Children => items;

    protected override Value EvaluateCore(Scope scope)
    {
        List<Value> values = new(items.Length);
        foreach (Expression item in items)
        {
            values.Add(item.Evaluate(scope));
        }

        return isTuple ? Value.FromTuple(values) : Value.FromList(values);
    }
}

internal sealed class DictExpression(int line, List<KeyValuePair<Expression, Expression>> entries) : Expression(line)
{
    public override IEnumerable<Expression> Children => entries.SelectMany(entry => new[] { entry.Key, entry.Value });

    protected override Value EvaluateCore(Scope scope)
    {
        DictValue dict = new();
        foreach ((Expression key, Expression value) in entries)
        {
            Value name = key.Evaluate(scope);
            ValueComparer.ChargeLookup(name, scope.Context.Budget);
            dict.Entries[name] = value.Evaluate(scope);
        }

        return new Value(dict);
    }
}

internal sealed class ConditionalExpression(int line, Expression condition, Expression whenTrue, Expression? whenFalse) : Expression(line)
{
    public override IEnumerable<Expression> Children => whenFalse is null ? [condition, whenTrue] : [condition, whenTrue, whenFalse];

    protected override Value EvaluateCore(Scope scope)
    {
        if (PythonTypes.IsTrue(condition.Evaluate(scope)))
        {
            return whenTrue.Evaluate(scope);
        }

        return whenFalse?.Evaluate(scope) ?? Value.UndefinedHint($"the inline if-expression on line {Line} evaluated to false and no else section was defined.");
    }
}
