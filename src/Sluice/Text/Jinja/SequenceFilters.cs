namespace Sluice.Text.Jinja;

/// <summary>The filters that reorder, cut and pick from sequences.</summary>
internal static class SequenceFilters
{
    public static readonly Builtin[] All =
    [
        new("list", (context, a) => Value.FromList([.. PythonTypes.Iterate(a[0], context)]), true),
        new("first", (context, a) => End(a[0], isLast: false, context), true),
        new("last", (context, a) => End(a[0], isLast: true, context), true),
        new("reverse", (context, a) => Reverse(a[0], context), true),
        new("items", (context, a) => Items(a[0], context), true),
        new("dictsort", DictSort, true, "case_sensitive", "by", "reverse"),
        new("sort", Sort, true, "reverse", "case_sensitive", "attribute"),
        new("unique", Unique, true, "case_sensitive", "attribute"),
        new("min", (context, a) => Extreme(a, "<", context), true, "case_sensitive", "attribute"),
        new("max", (context, a) => Extreme(a, ">", context), true, "case_sensitive", "attribute"),
        new("sum", Sum, true, "attribute", "start"),
        new("batch", Batch, true, "linecount", "fill_with"),
        new("slice", SliceInto, true, "slices", "fill_with"),
        new("groupby", GroupBy, true, "attribute", "default", "case_sensitive"),
    ];

    private static Value End(Value value, bool isLast, RenderContext context)
    {
        if (isLast && (value.Kind == ValueKind.Generator || !PythonTypes.IsIterable(value)))
        {
            throw new ChatTemplateException($"'{PythonTypes.NameOf(value)}' object is not reversible");
        }

        List<Value> items = PythonTypes.Iterate(value, context);
        return items.Count == 0
            ? Value.UndefinedHint(isLast ? "No last item, sequence was empty." : "No first item, sequence was empty.")
            : items[isLast ? ^1 : 0];
    }

    private static Value Reverse(Value value, RenderContext context)
    {
        if (!PythonTypes.IsIterable(value))
        {
            throw new ChatTemplateException("argument must be iterable");
        }

        List<Value> items = [.. PythonTypes.Iterate(value, context)];
        items.Reverse();
        return value.IsString
            ? TextOperations.Join(TrackedString.Empty, items, isStrict: true, isMarkup: false, context)
            : Value.FromGenerator(items);
    }

    private static Value Items(Value value, RenderContext context)
    {
        if (value.IsUndefined)
        {
            return Value.FromGenerator([]);
        }

        List<Value> items = value.Kind == ValueKind.Dict
            ? value.Dict.Items()
            : throw new ChatTemplateException("Can only get item pairs from a mapping.");
        context.Budget.ChargeSteps(items.Count);
        return Value.FromGenerator(items);
    }

    private static Value DictSort(RenderContext context, ReadOnlySpan<Value> a)
    {
        if (a[0].Kind != ValueKind.Dict)
        {
            PythonTypes.RequireDefined(a[0]);
            throw new ChatTemplateException($"'{PythonTypes.NameOf(a[0])}' object has no attribute 'items'");
        }

        string by = a[2].IsMissing ? "key" : PythonFormat.ToText(a[2], context).ToString();
        int position = by switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new ChatTemplateException("You can only sort by either \"key\" or \"value\""),
        };
        bool isCaseSensitive = Arguments.IsTrue(a[1], false);
        List<Value> items = a[0].Dict.Items();
        context.Budget.ChargeSteps(items.Count);
        List<Value> sorted = SortBy(items, item => SortKey(item.Sequence.Items[position], isCaseSensitive, context), Arguments.IsTrue(a[3], false), context);
        return Value.FromList(sorted);
    }

    private static Value Sort(RenderContext context, ReadOnlySpan<Value> a)
    {
        bool isCaseSensitive = Arguments.IsTrue(a[2], false);
        Value attribute = a[3];
        List<Value> items = PythonTypes.Iterate(a[0], context);
        return Value.FromList(SortBy(items, item => SortingKey(item, attribute, isCaseSensitive, context), Arguments.IsTrue(a[1], false), context));
    }

    private static Value Unique(RenderContext context, ReadOnlySpan<Value> a)
    {
        bool isCaseSensitive = Arguments.IsTrue(a[1], false);
        HashSet<Value> seen = new(ValueComparer.Instance);
        List<Value> items = [];
        foreach (Value item in PythonTypes.Iterate(a[0], context))
        {
            Value key = Key(item, a[2], isCaseSensitive, context);
            ValueComparer.ChargeLookup(key, context.Budget);
            if (seen.Add(key))
            {
                items.Add(item);
            }
        }

        return Value.FromGenerator(items);
    }

    private static Value Extreme(ReadOnlySpan<Value> a, string symbol, RenderContext context)
    {
        bool isCaseSensitive = Arguments.IsTrue(a[1], false);
        List<Value> items = PythonTypes.Iterate(a[0], context);
        if (items.Count == 0)
        {
            return Value.UndefinedHint("No aggregated item, sequence was empty.");
        }

        Value best = items[0];
        Value bestKey = Key(best, a[2], isCaseSensitive, context);
        for (int i = 1; i < items.Count; i++)
        {
            Value key = Key(items[i], a[2], isCaseSensitive, context);
            int order = Comparison.Order(key, bestKey, symbol, context.Budget);
            if (symbol == "<" ? order < 0 : order > 0)
            {
                (best, bestKey) = (items[i], key);
            }
        }

        return best;
    }

    private static Value Sum(RenderContext context, ReadOnlySpan<Value> a)
    {
        Value sum = a[2].IsMissing ? Value.FromInteger(0) : a[2];
        foreach (Value item in PythonTypes.Iterate(a[0], context))
        {
            Value term = a[1].IsMissing || a[1].IsNone ? item : SelectionFilters.Attribute(item, a[1], default, context);
            sum = Arithmetic.Apply("+", sum, term, context);
        }

        return sum;
    }

    private static Value Batch(RenderContext context, ReadOnlySpan<Value> a)
    {
        long size = Math.Max(1, Arguments.Integer(a[1], 1));
        List<Value> batches = [];
        List<Value> current = [];
        foreach (Value item in PythonTypes.Iterate(a[0], context))
        {
            if (current.Count == size)
            {
                batches.Add(Value.FromList(current));
                current = [];
            }

            current.Add(item);
        }

        if (current.Count > 0)
        {
            long missing = a[2].IsMissing || a[2].IsNone ? 0 : size - current.Count;
            context.Budget.ChargeSteps(missing);
            for (long i = 0; i < missing; i++)
            {
                current.Add(a[2]);
            }

            batches.Add(Value.FromList(current));
        }

        return Value.FromGenerator(batches);
    }

    private static Value SliceInto(RenderContext context, ReadOnlySpan<Value> a)
    {
        List<Value> items = PythonTypes.Iterate(a[0], context);
        long slices = Arguments.Integer(a[1], 0);
        if (slices <= 0)
        {
            throw new ChatTemplateException("integer division or modulo by zero");
        }

        context.Budget.ChargeSteps(slices);
        int perSlice = (int)(items.Count / slices);
        long withExtra = items.Count % slices;
        List<Value> result = [];
        int position = 0;
        for (long i = 0; i < slices; i++)
        {
            int count = perSlice + (i < withExtra ? 1 : 0);
            List<Value> part = items.GetRange(position, count);
            position += count;
            if (i >= withExtra && withExtra > 0 && !a[2].IsMissing && !a[2].IsNone)
            {
                part.Add(a[2]);
            }

            result.Add(Value.FromList(part));
        }

        return Value.FromGenerator(result);
    }

    private static Value GroupBy(RenderContext context, ReadOnlySpan<Value> a)
    {
        bool isCaseSensitive = Arguments.IsTrue(a[3], false);
        Value attribute = a[1];
        Value fallback = a[2];
        List<Value> items = SortBy(
            PythonTypes.Iterate(a[0], context),
            item => SortKey(SelectionFilters.Attribute(item, attribute, fallback, context), isCaseSensitive, context),
            reverse: false,
            context);
        List<Value> groups = [];
        List<Value> members = [];
        Value current = default;
        foreach (Value item in items)
        {
            Value grouper = SelectionFilters.Attribute(item, attribute, fallback, context);
            Value key = SortKey(grouper, isCaseSensitive, context);
            if (members.Count == 0 || !Comparison.AreEqual(key, current, context.Budget))
            {
                members = [];
                groups.Add(Value.FromGroup(new GroupValue(grouper, Value.FromList(members))));
                current = key;
            }

            members.Add(item);
        }

        return Value.FromList(groups);
    }

    private static List<Value> SortBy(List<Value> items, Func<Value, Value> key, bool reverse, RenderContext context)
    {
        List<KeyValuePair<Value, Value>> keyed = items.ConvertAll(item => new KeyValuePair<Value, Value>(key(item), item));
        int sign = reverse ? -1 : 1;
        return StableSort.Sort(keyed, (x, y) => sign * Comparison.Order(x.Key, y.Key, "<", context.Budget)).ConvertAll(pair => pair.Value);
    }

    private static Value Key(Value item, Value attribute, bool isCaseSensitive, RenderContext context)
    {
        Value key = attribute.IsMissing || attribute.IsNone ? item : SelectionFilters.Attribute(item, attribute, default, context);
        return SortKey(key, isCaseSensitive, context);
    }

    /// <summary>
    /// "age,name" sorts by several attributes. A tuple even for one: equal items are then never asked for their order,
    /// which undefined ones do not have.
    /// </summary>
    private static Value SortingKey(Value item, Value attribute, bool isCaseSensitive, RenderContext context)
    {
        if (!attribute.IsString || !attribute.Text.AsSpan().Contains(','))
        {
            return Value.FromTuple([Key(item, attribute, isCaseSensitive, context)]);
        }

        List<Value> keys = [];
        foreach (string part in attribute.Text.ToString().Split(','))
        {
            keys.Add(Key(item, Value.FromString(part), isCaseSensitive, context));
        }

        return Value.FromTuple(keys);
    }

    private static Value SortKey(Value value, bool isCaseSensitive, RenderContext context)
    {
        return value.IsString && !isCaseSensitive ? TextOperations.Map(value, (_, c) => char.ToLowerInvariant(c), context) : value;
    }
}
