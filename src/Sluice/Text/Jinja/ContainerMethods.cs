using System.Collections.Frozen;

namespace Sluice.Text.Jinja;

/// <summary>The methods of dict that do not change it; the sandbox refuses the others.</summary>
internal static class DictMethods
{
    private static readonly FrozenDictionary<string, Builtin> Methods = new Builtin[]
    {
        new("items", (context, a) => Listed(a[0].Dict.Items(), context), true),
        new("keys", (context, a) => Listed(a[0].Dict.Keys(), context), true),
        new("values", (context, a) => Listed([.. a[0].Dict.Entries.Values], context), true),
        new("get", Get, true, "key", "default"),
        new("copy", (_, a) => a[0], true),
    }.ToFrozenDictionary(method => method.Name, StringComparer.Ordinal);

    public static Builtin? Find(string name)
    {
        return Methods.GetValueOrDefault(name);
    }

    public static bool IsMutating(string name)
    {
        return name is "clear" or "pop" or "popitem" or "setdefault" or "update";
    }

    private static Value Get(RenderContext context, ReadOnlySpan<Value> a)
    {
        ValueComparer.ChargeLookup(a[1], context.Budget);
        return a[0].Dict.TryGet(a[1], out Value value) ? value : a[2].IsMissing ? Value.None : a[2];
    }

    private static Value Listed(List<Value> items, RenderContext context)
    {
        context.Budget.ChargeSteps(items.Count);
        return Value.FromList(items);
    }
}

/// <summary>The methods of list and tuple that do not change them.</summary>
internal static class SequenceMethods
{
    private static readonly Builtin CopyMethod = new("copy", (_, a) => a[0], true);

    private static readonly Builtin CountMethod = new("count", Count, true, "value");

    private static readonly Builtin IndexMethod = new("index", Index, true, "value", "start", "stop");

    public static Builtin? FindList(string name)
    {
        return name == "copy" ? CopyMethod : FindTuple(name);
    }

    public static Builtin? FindTuple(string name)
    {
        return name switch { "count" => CountMethod, "index" => IndexMethod, _ => null };
    }

    public static bool IsMutating(string name)
    {
        return name is "append" or "clear" or "pop" or "reverse" or "insert" or "sort" or "extend" or "remove";
    }

    private static Value Count(RenderContext context, ReadOnlySpan<Value> a)
    {
        long count = 0;
        foreach (Value item in a[0].Sequence.Items)
        {
            count += Comparison.AreEqual(item, a[1], context.Budget) ? 1 : 0;
        }

        return Value.FromInteger(count);
    }

    private static Value Index(RenderContext context, ReadOnlySpan<Value> a)
    {
        List<Value> items = a[0].Sequence.Items;
        long start = Arguments.Integer(a[2], 0);
        long stop = Arguments.Integer(a[3], items.Count);
        start = Math.Clamp(start < 0 ? start + items.Count : start, 0, items.Count);
        stop = Math.Clamp(stop < 0 ? stop + items.Count : stop, 0, items.Count);
        for (int i = (int)start; i < stop; i++)
        {
            if (Comparison.AreEqual(items[i], a[1], context.Budget))
            {
                return Value.FromInteger(i);
            }
        }

        throw new ChatTemplateException(a[0].Kind == ValueKind.Tuple
            ? "tuple.index(x): x not in tuple"
            : $"{PythonFormat.ToRepr(a[1], context)} is not in {PythonTypes.NameOf(a[0])}");
    }
}
