using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary><c>map</c>, <c>select</c> and their kin, which take another filter or test by name.</summary>
internal static class SelectionFilters
{
    public static readonly Builtin[] All =
    [
        new("map", Map),
        new("select", (context, target, arguments) => Select(context, target, arguments, byAttribute: false, keep: true)),
        new("reject", (context, target, arguments) => Select(context, target, arguments, byAttribute: false, keep: false)),
        new("selectattr", (context, target, arguments) => Select(context, target, arguments, byAttribute: true, keep: true)),
        new("rejectattr", (context, target, arguments) => Select(context, target, arguments, byAttribute: true, keep: false)),
        new("attr", (context, a) => GetAttribute(context, a[0], a[1]), true, "name"),
    ];

    /// <summary>An item by a dotted path ("function.name", "0.name"); an undefined result becomes the fallback where there is one.</summary>
    public static Value Attribute(Value item, Value path, Value fallback, RenderContext context)
    {
        Value value = item;
        if (path.IsString)
        {
            context.Budget.ChargeScan(8L * path.Text.Length);
            foreach (string part in path.Text.ToString().Split('.'))
            {
                context.Budget.ChargeSteps(1);
                value = long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
                    ? MemberAccess.GetItem(value, Value.FromInteger(index), context)
                    : MemberAccess.GetItem(value, Value.FromString(part), context);
                if (!fallback.IsMissing && value.IsUndefined)
                {
                    value = fallback;
                }
            }

            return value;
        }

        value = MemberAccess.GetItem(value, path, context);
        return !fallback.IsMissing && value.IsUndefined ? fallback : value;
    }

    private static Value GetAttribute(RenderContext context, Value target, Value name)
    {
        ValueComparer.ChargeLookup(name, context.Budget);
        string text = Arguments.Text(name, "attr").ToString();
        // The filter reads attributes alone: an item of that name is not one, so the key matches nothing.
        return MemberAccess.GetAttribute(target, text, Value.None);
    }

    private static Value Map(RenderContext context, Value target, CallArguments arguments)
    {
        if (!PythonTypes.IsTrue(target))
        {
            return Value.FromGenerator([]);
        }

        List<Value> items = PythonTypes.Iterate(target, context);
        int attribute = arguments.Named.FindIndex(named => named.Key == "attribute");
        if (arguments.Positional.Count == 0 && attribute >= 0)
        {
            int fallback = arguments.Named.FindIndex(named => named.Key == "default");
            Value whenUndefined = fallback >= 0 ? arguments.Named[fallback].Value : default;
            return Value.FromGenerator(items.ConvertAll(item => Attribute(item, arguments.Named[attribute].Value, whenUndefined, context)));
        }

        string name = NameOf(arguments, 0, "map requires a filter argument");
        Builtin filter = Filters.TryFind(name) ?? throw new ChatTemplateException($"No filter named '{name}'.");
        CallArguments rest = new(arguments.Positional[1..], arguments.Named);
        return Value.FromGenerator(items.ConvertAll(item =>
        {
            context.Budget.ChargeSteps(1);
            return filter.Invoke(context, item, rest);
        }));
    }

    private static Value Select(RenderContext context, Value target, CallArguments arguments, bool byAttribute, bool keep)
    {
        if (!PythonTypes.IsTrue(target))
        {
            return Value.FromGenerator([]);
        }

        int offset = byAttribute ? 1 : 0;
        if (byAttribute && arguments.Positional.Count == 0)
        {
            throw new ChatTemplateException("Missing parameter for attribute name");
        }

        Builtin? test = null;
        if (arguments.Positional.Count > offset)
        {
            string name = NameOf(arguments, offset, "a test's name must be a string");
            test = Tests.TryFind(name) ?? throw new ChatTemplateException($"No test named '{name}'.");
        }

        CallArguments rest = test is null ? CallArguments.Empty : new CallArguments(arguments.Positional[(offset + 1)..], arguments.Named);
        List<Value> selected = [];
        foreach (Value item in PythonTypes.Iterate(target, context))
        {
            context.Budget.ChargeSteps(1);
            Value subject = byAttribute ? Attribute(item, arguments.Positional[0], default, context) : item;
            bool holds = PythonTypes.IsTrue(test is null ? subject : test.Invoke(context, subject, rest));
            if (holds == keep)
            {
                selected.Add(item);
            }
        }

        return Value.FromGenerator(selected);
    }

    private static string NameOf(CallArguments arguments, int position, string whenMissing)
    {
        return arguments.Positional.Count > position && arguments.Positional[position].IsString
            ? arguments.Positional[position].Text.ToString()
            : throw new ChatTemplateException(whenMissing);
    }
}
