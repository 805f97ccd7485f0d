using System.Collections.Frozen;

namespace Sluice.Text.Jinja;

/// <summary>What can follow <c>is</c>.</summary>
internal static class Tests
{
    private const int MaxNameLength = 64;

    private static readonly FrozenDictionary<string, Builtin> All = new Builtin[]
    {
        Test("boolean", value => value.Kind == ValueKind.Boolean),
        Test("callable", value => value.IsUndefined || (value.Kind == ValueKind.Object && value.Object.IsCallable)),
        Test("defined", value => !value.IsUndefined),
        Test("escaped", value => value.IsMarkup),
        new("even", (context, a) => Value.FromBoolean(Remainder(a[0], context) == 0), true),
        Test("false", value => value.Kind == ValueKind.Boolean && !value.Boolean),
        Test("float", value => value.Kind == ValueKind.Float),
        Test("integer", value => value.Kind is ValueKind.Integer or ValueKind.BigInteger),
        Test("iterable", PythonTypes.IsIterable),
        Test("mapping", value => value.Kind == ValueKind.Dict),
        Test("none", value => value.IsNone),
        Test("number", value => value.IsNumber),
        new("odd", (context, a) => Value.FromBoolean(Remainder(a[0], context) == 1), true),
        Test("sequence", value => value.Kind is ValueKind.Undefined or ValueKind.String or ValueKind.List or ValueKind.Tuple or ValueKind.Range or ValueKind.Dict),
        Test("string", value => value.IsString),
        Test("true", value => value.Kind == ValueKind.Boolean && value.Boolean),
        Test("undefined", value => value.IsUndefined),
        new("lower", (context, a) => StringMethods.Find("islower")!.Invoke(context, new Value(PythonFormat.ToText(a[0], context)), CallArguments.Empty), true),
        new("upper", (context, a) => StringMethods.Find("isupper")!.Invoke(context, new Value(PythonFormat.ToText(a[0], context)), CallArguments.Empty), true),
        new("divisibleby", (context, a) => Value.FromBoolean(!PythonTypes.IsTrue(Arithmetic.Apply("%", a[0], a[1], context))), true, "num"),
        new("filter", (_, a) => Value.FromBoolean(a[0].IsString && a[0].Text.Length < MaxNameLength && Filters.TryFind(a[0].Text.ToString()) is not null), true),
        new("test", (_, a) => Value.FromBoolean(a[0].IsString && a[0].Text.Length < MaxNameLength && TryFind(a[0].Text.ToString()) is not null), true),
        new("sameas", (_, a) => Value.FromBoolean(IsSame(a[0], a[1])), true, "other"),
        Compare("in", "in"),
        Compare("==", "=="), Compare("eq", "=="), Compare("equalto", "=="),
        Compare("!=", "!="), Compare("ne", "!="),
        Compare("<", "<"), Compare("lt", "<"), Compare("lessthan", "<"),
        Compare("<=", "<="), Compare("le", "<="),
        Compare(">", ">"), Compare("gt", ">"), Compare("greaterthan", ">"),
        Compare(">=", ">="), Compare("ge", ">="),
    }.ToFrozenDictionary(test => test.Name, StringComparer.Ordinal);

    public static Builtin Find(string name)
    {
        return TryFind(name) ?? throw new ChatTemplateException($"No test named '{name}' found.");
    }

    public static Builtin? TryFind(string name)
    {
        return All.GetValueOrDefault(name);
    }

    private static Builtin Test(string name, Func<Value, bool> test)
    {
        return new Builtin(name, (_, a) => Value.FromBoolean(test(a[0])), true);
    }

    private static Builtin Compare(string name, string symbol)
    {
        return new Builtin(name, (context, a) => Value.FromBoolean(CompareExpression.Compare(symbol, a[0], a[1], context)), true, "other");
    }

    private static double Remainder(Value value, RenderContext context)
    {
        Value remainder = Arithmetic.Apply("%", value, Value.FromInteger(2), context);
        return remainder.IsNumber ? remainder.Number : double.NaN;
    }

    private static bool IsSame(Value left, Value right)
    {
        if (left.Kind != right.Kind)
        {
            return false;
        }

        return left.Kind switch
        {
            ValueKind.Dict => ReferenceEquals(left.Dict, right.Dict),
            ValueKind.List or ValueKind.Tuple or ValueKind.Generator or ValueKind.Range => ReferenceEquals(left.Sequence, right.Sequence),
            _ => Comparison.AreEqual(left, right, null),
        };
    }
}
