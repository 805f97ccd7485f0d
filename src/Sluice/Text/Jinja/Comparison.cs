namespace Sluice.Text.Jinja;

/// <summary>Python's <c>==</c>, <c>&lt;</c> and <c>in</c>.</summary>
internal static class Comparison
{
    public static bool AreEqual(Value left, Value right, RenderBudget? budget)
    {
        budget?.ChargeSteps(1);
        if (left.IsNumber && right.IsNumber)
        {
            return left.Kind is ValueKind.Integer or ValueKind.Boolean && right.Kind is ValueKind.Integer or ValueKind.Boolean
                ? left.Integer == right.Integer
                : left.Kind == ValueKind.BigInteger && right.Kind == ValueKind.BigInteger
                    ? left.BigInteger == right.BigInteger
                    : left.Number == right.Number;
        }

        if (left.Kind != right.Kind)
        {
            return false;
        }

        switch (left.Kind)
        {
            case ValueKind.String:
                if (left.Text.Length == right.Text.Length)
                {
                    budget?.ChargeScan(left.Text.Length);
                    return left.Text.ContentEquals(right.Text);
                }

                return false;
            case ValueKind.List:
            case ValueKind.Tuple:
            case ValueKind.Range:
                return AreEqual(left.Sequence.Items, right.Sequence.Items, budget);
            case ValueKind.Dict:
                return AreEqual(left.Dict, right.Dict, budget);
            case ValueKind.Generator:
                return ReferenceEquals(left.Sequence, right.Sequence);
            case ValueKind.Object:
                return ReferenceEquals(left.Object, right.Object);
            default:
                return true;
        }
    }

    /// <summary>Negative, zero or positive. Throws for types that Python does not order.</summary>
    public static int Order(Value left, Value right, string symbol, RenderBudget budget)
    {
        budget.ChargeSteps(1);
        if (left.IsNumber && right.IsNumber)
        {
            return left.Kind == ValueKind.Integer && right.Kind == ValueKind.Integer
                ? left.Integer.CompareTo(right.Integer)
                : left.Number.CompareTo(right.Number);
        }

        if (left.IsString && right.IsString)
        {
            budget.ChargeScan(Math.Min(left.Text.Length, right.Text.Length));
            return left.Text.AsSpan().SequenceCompareTo(right.Text.AsSpan());
        }

        if (left.Kind == right.Kind && left.Kind is ValueKind.List or ValueKind.Tuple)
        {
            RenderBudget.EnsureStack();
            List<Value> a = left.Sequence.Items;
            List<Value> b = right.Sequence.Items;
            for (int i = 0; i < Math.Min(a.Count, b.Count); i++)
            {
                if (!AreEqual(a[i], b[i], budget))
                {
                    return Order(a[i], b[i], symbol, budget);
                }
            }

            return a.Count.CompareTo(b.Count);
        }

        PythonTypes.RequireDefined(left);
        PythonTypes.RequireDefined(right);
        throw new ChatTemplateException(
            $"'{symbol}' not supported between instances of '{PythonTypes.NameOf(left)}' and '{PythonTypes.NameOf(right)}'");
    }

    public static bool Contains(Value container, Value item, RenderContext context)
    {
        switch (container.Kind)
        {
            case ValueKind.String:
                if (!item.IsString)
                {
                    PythonTypes.RequireDefined(item);
                    throw new ChatTemplateException($"'in <string>' requires string as left operand, not {PythonTypes.NameOf(item)}");
                }

                context.Budget.ChargeScan(container.Text.Length);
                return container.Text.AsSpan().IndexOf(item.Text.AsSpan(), StringComparison.Ordinal) >= 0;
            case ValueKind.Dict:
                ValueComparer.ChargeLookup(item, context.Budget);
                return container.Dict.TryGet(item, out _);
            case ValueKind.Undefined:
                return false;
            case ValueKind.List:
            case ValueKind.Tuple:
            case ValueKind.Range:
            case ValueKind.Generator:
                foreach (Value candidate in PythonTypes.Iterate(container, context))
                {
                    if (AreEqual(candidate, item, context.Budget))
                    {
                        return true;
                    }
                }

                return false;
            default:
                throw new ChatTemplateException($"argument of type '{PythonTypes.NameOf(container)}' is not iterable");
        }
    }

    private static bool AreEqual(List<Value> left, List<Value> right, RenderBudget? budget)
    {
        RenderBudget.EnsureStack();
        if (left.Count != right.Count)
        {
            return false;
        }

        for (int i = 0; i < left.Count; i++)
        {
            if (!AreEqual(left[i], right[i], budget))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AreEqual(DictValue left, DictValue right, RenderBudget? budget)
    {
        RenderBudget.EnsureStack();
        if (left.Entries.Count != right.Entries.Count)
        {
            return false;
        }

        foreach ((Value key, Value value) in left.Entries)
        {
            if (!right.TryGet(key, out Value other) || !AreEqual(value, other, budget))
            {
                return false;
            }
        }

        return true;
    }
}
