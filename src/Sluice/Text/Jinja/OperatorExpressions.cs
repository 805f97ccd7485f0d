namespace Sluice.Text.Jinja;

/// <summary>A left-to-right chain such as <c>a + b - c</c>: one node whatever its length, so that depth does not grow with it.</summary>
internal sealed class ArithmeticExpression(int line, Expression first, List<KeyValuePair<string, Expression>> rest) : Expression(line)
{
    public override IEnumerable<Expression> Children => rest.Select(part => part.Value).Prepend(first);

    protected override Value EvaluateCore(Scope scope)
    {
        Value result = first.Evaluate(scope);
        foreach ((string symbol, Expression operand) in rest)
        {
            result = Arithmetic.Apply(symbol, result, operand.Evaluate(scope), scope.Context);
        }

        return result;
    }
}

/// <summary><c>a ~ b</c>: the printed forms joined.</summary>
internal sealed class ConcatExpression(int line, List<Expression> parts) : Expression(line)
{
    public override IEnumerable<Expression> Children => parts;

    protected override Value EvaluateCore(Scope scope)
    {
        TrackedString result = TrackedString.Empty;
        foreach (Expression part in parts)
        {
            result = TrackedString.Concat(result, PythonFormat.ToText(part.Evaluate(scope), scope.Context), scope.Context.Budget);
        }

        return new Value(result);
    }
}

/// <summary>A comparison chain: <c>a &lt; b &lt;= c</c> holds when each link does.</summary>
internal sealed class CompareExpression(int line, Expression first, List<KeyValuePair<string, Expression>> rest) : Expression(line)
{
    public override IEnumerable<Expression> Children => rest.Select(part => part.Value).Prepend(first);

    public static bool Compare(string symbol, Value left, Value right, RenderContext context)
    {
        return symbol switch
        {
            "==" => Comparison.AreEqual(left, right, context.Budget),
            "!=" => !Comparison.AreEqual(left, right, context.Budget),
            "<" => Comparison.Order(left, right, symbol, context.Budget) < 0,
            "<=" => Comparison.Order(left, right, symbol, context.Budget) <= 0,
            ">" => Comparison.Order(left, right, symbol, context.Budget) > 0,
            ">=" => Comparison.Order(left, right, symbol, context.Budget) >= 0,
            "in" => Comparison.Contains(right, left, context),
            _ => !Comparison.Contains(right, left, context),
        };
    }

    protected override Value EvaluateCore(Scope scope)
    {
        Value left = first.Evaluate(scope);
        foreach ((string symbol, Expression operand) in rest)
        {
            Value right = operand.Evaluate(scope);
            if (!Compare(symbol, left, right, scope.Context))
            {
                return Value.False;
            }

            left = right;
        }

        return Value.True;
    }
}

/// <summary><c>and</c> / <c>or</c> with Python's result: the operand that decided.</summary>
internal sealed class LogicalExpression(int line, bool isAnd, List<Expression> parts) : Expression(line)
{
    public override IEnumerable<Expression> Children => parts;

    protected override Value EvaluateCore(Scope scope)
    {
        Value result = default;
        foreach (Expression part in parts)
        {
            result = part.Evaluate(scope);
            if (PythonTypes.IsTrue(result) != isAnd)
            {
                return result;
            }
        }

        return result;
    }
}

internal sealed class NotExpression(int line, Expression operand) : Expression(line)
{
    public override IEnumerable<Expression> Children => [operand];

    protected override Value EvaluateCore(Scope scope)
    {
        return Value.FromBoolean(!PythonTypes.IsTrue(operand.Evaluate(scope)));
    }
}

internal sealed class SignExpression(int line, Expression operand, bool isNegative) : Expression(line)
{
    public override IEnumerable<Expression> Children => [operand];

    protected override Value EvaluateCore(Scope scope)
    {
        return Arithmetic.Sign(operand.Evaluate(scope), isNegative);
    }
}
