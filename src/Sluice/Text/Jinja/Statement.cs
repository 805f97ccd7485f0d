namespace Sluice.Text.Jinja;

/// <summary>How a statement ended: on to the next one, or out of the loop's body.</summary>
internal enum Flow : byte
{
    Next,
    Break,
    Continue,
}

/// <summary>A node of the syntax tree that writes output or changes variables.</summary>
internal abstract class Statement(int line)
{
    public int Line { get; } = line;

    public abstract Flow Execute(Scope scope, TextBuilder output);

    public static Flow ExecuteAll(List<Statement> statements, Scope scope, TextBuilder output)
    {
        foreach (Statement statement in statements)
        {
            scope.Context.Budget.Step(statement.Line);
            Flow flow = statement.Execute(scope, output);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }

    /// <summary>Runs a body in a scope of its own and gives what it wrote.</summary>
    public static TrackedString Capture(List<Statement> body, Scope scope)
    {
        TextBuilder output = new(scope.Context.Budget);
        ExecuteAll(body, scope, output);
        return output.ToTracked();
    }
}

internal sealed class DataStatement(int line, string text) : Statement(line)
{
    private readonly TrackedString _text = new(text, Origin.Template);

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        output.Append(_text);
        return Flow.Next;
    }
}

internal sealed class OutputStatement(int line, Expression expression) : Statement(line)
{
    public Expression Expression => expression;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        PythonFormat.Write(expression.Evaluate(scope), output, scope.Context);
        return Flow.Next;
    }
}

internal sealed class IfStatement(int line, List<KeyValuePair<Expression, List<Statement>>> branches, List<Statement>? otherwise) : Statement(line)
{
    public List<KeyValuePair<Expression, List<Statement>>> Branches => branches;

    public List<Statement>? Otherwise => otherwise;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        foreach ((Expression condition, List<Statement> body) in branches)
        {
            if (PythonTypes.IsTrue(condition.Evaluate(scope)))
            {
                return ExecuteAll(body, scope, output);
            }
        }

        return otherwise is null ? Flow.Next : ExecuteAll(otherwise, scope, output);
    }
}

internal sealed class LoopControlStatement(int line, Flow flow) : Statement(line)
{
    public override Flow Execute(Scope scope, TextBuilder output)
    {
        return flow;
    }
}

/// <summary>A body with variables of its own: <c>with</c> (which sets some first) and <c>generation</c> (which marks the model's part in training).</summary>
internal sealed class ScopedStatement(int line, List<KeyValuePair<AssignmentTarget, Expression>> variables, List<Statement> body) : Statement(line)
{
    public List<KeyValuePair<AssignmentTarget, Expression>> Variables => variables;

    public List<Statement> Body => body;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        Scope inner = scope.Child();
        foreach ((AssignmentTarget target, Expression value) in variables)
        {
            target.Assign(inner, value.Evaluate(scope));
        }

        return ExecuteAll(body, inner, output);
    }
}

internal sealed class SetStatement(int line, AssignmentTarget target, Expression value) : Statement(line)
{
    public AssignmentTarget Target => target;

    public Expression Value => value;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        target.Assign(scope, value.Evaluate(scope));
        return Flow.Next;
    }
}

/// <summary>
/// <c>{% set name %}…{% endset %}</c> and <c>{% filter name %}…{% endfilter %}</c>: the body's text goes through the
/// filters, then into the variable or the output.
/// </summary>
internal sealed class CaptureStatement(int line, AssignmentTarget? target, List<FilterExpression> filters, List<Statement> body) : Statement(line)
{
    public AssignmentTarget? Target => target;

    public List<FilterExpression> Filters => filters;

    public List<Statement> Body => body;

    public override Flow Execute(Scope scope, TextBuilder output)
    {
        Value value = new(Capture(body, scope.Child()));
        foreach (FilterExpression filter in filters)
        {
            value = filter.Apply(value, scope);
        }

        if (target is null)
        {
            PythonFormat.Write(value, output, scope.Context);
        }
        else
        {
            target.Assign(scope, value);
        }

        return Flow.Next;
    }
}
