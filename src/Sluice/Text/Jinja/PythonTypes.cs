namespace Sluice.Text.Jinja;

/// <summary>What every Python value can do: its type's name, its truth, its length, its iteration.</summary>
internal static class PythonTypes
{
    public static string NameOf(Value value)
    {
        return value.Kind switch
        {
            ValueKind.Undefined => "Undefined",
            ValueKind.None => "NoneType",
            ValueKind.Boolean => "bool",
            ValueKind.Integer or ValueKind.BigInteger => "int",
            ValueKind.Float => "float",
            ValueKind.String => value.IsMarkup ? "Markup" : "str",
            ValueKind.List => "list",
            ValueKind.Tuple => "tuple",
            ValueKind.Generator => "generator",
            ValueKind.Range => "range",
            ValueKind.Dict => "dict",
            ValueKind.Object => value.Object.TypeName,
            _ => "object",
        };
    }

    public static void RequireDefined(Value value)
    {
        if (value.IsUndefined)
        {
            throw value.Undefined.Error();
        }
    }

    public static bool IsTrue(Value value)
    {
        return value.Kind switch
        {
            ValueKind.Missing or ValueKind.None or ValueKind.Undefined => false,
            ValueKind.Boolean or ValueKind.Integer => value.Integer != 0,
            ValueKind.Float => value.Number != 0,
            ValueKind.String => value.Text.Length > 0,
            ValueKind.List or ValueKind.Tuple or ValueKind.Range => value.Sequence.Items.Count > 0,
            ValueKind.Dict => value.Dict.Entries.Count > 0,
            _ => true,
        };
    }

    /// <summary>Python's len(); a string counts code points.</summary>
    public static int LengthOf(Value value, RenderContext context)
    {
        switch (value.Kind)
        {
            case ValueKind.Undefined:
                return 0;
            case ValueKind.String:
                context.Budget.ChargeScan(value.Text.Length);
                return CodePoints.Count(value.Text.AsSpan());
            case ValueKind.List:
            case ValueKind.Tuple:
            case ValueKind.Range:
                return value.Sequence.Items.Count;
            case ValueKind.Dict:
                return value.Dict.Entries.Count;
            case ValueKind.Object when value.Object is LoopObject loop:
                return loop.Count;
            default:
                throw new ChatTemplateException($"object of type '{NameOf(value)}' has no len()");
        }
    }

    /// <summary>The items that iterating gives; each is a step. A generator is used up by it.</summary>
    public static List<Value> Iterate(Value value, RenderContext context)
    {
        List<Value> items = value.Kind switch
        {
            ValueKind.Undefined => [],
            ValueKind.List or ValueKind.Tuple or ValueKind.Range => value.Sequence.Items,
            ValueKind.Generator => value.Sequence.Drain(),
            ValueKind.Dict => value.Dict.Keys(),
            ValueKind.String => CodePoints.Split(value.Text, context),
            _ => throw new ChatTemplateException($"'{NameOf(value)}' object is not iterable"),
        };
        context.Budget.ChargeSteps(items.Count);
        return items;
    }

    public static bool IsIterable(Value value)
    {
        return value.IsSequence || value.Kind is ValueKind.Undefined or ValueKind.Dict or ValueKind.String;
    }
}
