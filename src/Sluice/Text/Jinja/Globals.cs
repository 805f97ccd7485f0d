namespace Sluice.Text.Jinja;

/// <summary>The functions that every template can call.</summary>
internal static class Globals
{
    /// <summary>Copying a dictionary hashes and compares each key.</summary>
    private const long StepsPerEntry = 5;

    private static readonly Builtin[] All =
    [
        new("range", Range, hasTarget: false, "start", "stop", "step"),
        new("dict", (context, _, arguments) => new Value(DictOf(context, arguments))),
        new("namespace", Namespace),
        new("raise_exception", Raise, hasTarget: false, "message"),
        new("strftime_now", FormatNow, hasTarget: false, "format"),
        new("cycler", (_, _, arguments) => new Value(new CyclerObject(arguments.Positional))),
        new("joiner", (_, arguments) => new Value(new JoinerObject(arguments[0].IsMissing ? Value.FromString(", ") : arguments[0])), hasTarget: false, "sep"),
    ];

    public static IEnumerable<string> Names => All.Select(function => function.Name);

    public static void AddTo(Scope scope)
    {
        foreach (Builtin function in All)
        {
            scope.Set(function.Name, new Value(new BuiltinObject(function, default)));
        }
    }

    private static Value Range(RenderContext context, ReadOnlySpan<Value> arguments)
    {
        bool hasStart = !arguments[1].IsMissing;
        long start = hasStart ? Arguments.Integer(arguments[0], 0) : 0;
        long stop = Arguments.Integer(arguments[hasStart ? 1 : 0], 0);
        long step = Arguments.Integer(arguments[2], 1);
        if (step == 0)
        {
            throw new ChatTemplateException("range() arg 3 must not be zero");
        }

        decimal span = step > 0 ? (decimal)stop - start : (decimal)start - stop;
        decimal count = span <= 0 ? 0 : decimal.Ceiling(span / Math.Abs((decimal)step));
        if (count > RenderBudget.MaxRangeLength)
        {
            throw new ChatTemplateException($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({RenderBudget.MaxRangeLength}).") { IsBudget = true };
        }

        context.Budget.ChargeSteps((long)count);
        List<Value> items = new((int)count);
        for (int i = 0; i < count; i++)
        {
            items.Add(Value.FromInteger(start + (i * step)));
        }

        return Value.FromRange(items);
    }

    private static DictValue DictOf(RenderContext context, CallArguments arguments)
    {
        DictValue dict = new();
        foreach (Value source in arguments.Positional)
        {
            if (source.Kind == ValueKind.Dict)
            {
                context.Budget.ChargeSteps(StepsPerEntry * source.Dict.Entries.Count);
                dict.Entries.EnsureCapacity(source.Dict.Entries.Count);
                foreach ((Value key, Value value) in source.Dict.Entries)
                {
                    ValueComparer.ChargeLookup(key, context.Budget);
                    dict.Entries[key] = value;
                }

                continue;
            }

            foreach (Value pair in PythonTypes.Iterate(source, context))
            {
                List<Value> parts = PythonTypes.Iterate(pair, context);
                if (parts.Count != 2)
                {
                    throw new ChatTemplateException("dictionary update sequence element has not length 2");
                }

                ValueComparer.ChargeLookup(parts[0], context.Budget);
                dict.Entries[parts[0]] = parts[1];
            }
        }

        foreach ((string name, Value value) in arguments.Named)
        {
            dict.Entries[Value.FromString(name)] = value;
        }

        return dict;
    }

    private static Value Namespace(RenderContext context, Value target, CallArguments arguments)
    {
        NamespaceObject space = new();
        foreach ((Value key, Value value) in DictOf(context, arguments).Entries)
        {
            space.Set(PythonFormat.ToText(key, context).ToString(), value);
        }

        return new Value(space);
    }

    private static Value FormatNow(RenderContext context, ReadOnlySpan<Value> arguments)
    {
        TrackedString format = Arguments.Text(arguments[0], "strftime_now()");
        context.Budget.ChargeCharacters(4L * format.Length);
        return Value.FromString(Strftime.Format(format.ToString(), context.Now));
    }

    private static Value Raise(RenderContext context, ReadOnlySpan<Value> arguments)
    {
        throw new ChatTemplateException(PythonFormat.ToText(arguments[0], context).ToString());
    }
}

/// <summary><c>cycler(a, b, …)</c>: gives its items in turn.</summary>
internal sealed class CyclerObject(List<Value> items) : HostObject
{
    private int _position;

    public override string TypeName => "Cycler";

    public override bool TryGetMember(string name, out Value value)
    {
        if (items.Count == 0)
        {
            throw new ChatTemplateException("at least one item has to be provided");
        }

        value = name switch
        {
            "current" => items[_position],
            "next" => new Value(new BuiltinObject(new Builtin("next", Next), default)),
            "reset" => new Value(new BuiltinObject(new Builtin("reset", Reset), default)),
            _ => default,
        };
        return !value.IsMissing;
    }

    private Value Next(RenderContext context, Value target, CallArguments arguments)
    {
        Value current = items[_position];
        _position = (_position + 1) % items.Count;
        return current;
    }

    private Value Reset(RenderContext context, Value target, CallArguments arguments)
    {
        _position = 0;
        return Value.None;
    }
}

/// <summary><c>joiner(separator)</c>: gives nothing the first time it is called and the separator from then on.</summary>
internal sealed class JoinerObject(Value separator) : HostObject
{
    private bool _isUsed;

    public override string TypeName => "Joiner";

    public override bool IsCallable => true;

    public override Value Call(RenderContext context, CallArguments arguments)
    {
        Value result = _isUsed ? separator : Value.EmptyString;
        _isUsed = true;
        return result;
    }
}
