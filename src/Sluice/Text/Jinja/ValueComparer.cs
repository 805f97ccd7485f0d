namespace Sluice.Text.Jinja;

/// <summary>Python's equality and hashing, for dictionary keys and <c>unique</c>.</summary>
internal sealed class ValueComparer : IEqualityComparer<Value>
{
    public static readonly ValueComparer Instance = new();

    public static bool IsHashable(Value value)
    {
        RenderBudget.EnsureStack();
        return value.Kind is not (ValueKind.List or ValueKind.Dict) && (value.Kind != ValueKind.Tuple || value.Sequence.Items.TrueForAll(IsHashable));
    }

    /// <summary>What looking a key up costs: its characters or items are read, twice where it is found.</summary>
    public static void ChargeLookup(Value key, RenderBudget budget)
    {
        if (key.IsString)
        {
            budget.ChargeScan(4L * key.Text.Length);
        }
        else if (key.Kind == ValueKind.Tuple)
        {
            RenderBudget.EnsureStack();
            budget.ChargeSteps(2L * key.Sequence.Items.Count);
            foreach (Value item in key.Sequence.Items)
            {
                ChargeLookup(item, budget);
            }
        }
    }

    public bool Equals(Value x, Value y)
    {
        return Comparison.AreEqual(x, y, null);
    }

    public int GetHashCode(Value value)
    {
        switch (value.Kind)
        {
            case ValueKind.String:
                return string.GetHashCode(value.Text.AsSpan(), StringComparison.Ordinal);
            case ValueKind.Boolean:
            case ValueKind.Integer:
            case ValueKind.BigInteger:
            case ValueKind.Float:
                return value.Number.GetHashCode();
            case ValueKind.Tuple:
                RenderBudget.EnsureStack();
                HashCode hash = default;
                foreach (Value item in value.Sequence.Items)
                {
                    hash.Add(GetHashCode(item));
                }

                return hash.ToHashCode();
            case ValueKind.None:
            case ValueKind.Undefined:
                return (int)value.Kind;
            case ValueKind.Object:
                return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(value.Object);
            default:
                throw new ChatTemplateException($"unhashable type: '{PythonTypes.NameOf(value)}'");
        }
    }
}
