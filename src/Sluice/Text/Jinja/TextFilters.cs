namespace Sluice.Text.Jinja;

/// <summary>The filters that give text.</summary>
internal static class TextFilters
{
    public static readonly Builtin[] All =
    [
        new("tojson", (context, a) => new Value(PythonJson.Serialize(a[0], a[1], a[2], a[3], a[4], context)), true, "ensure_ascii", "indent", "separators", "sort_keys"),
        new("string", (context, a) => Soft(a[0], context), true),
        new("trim", (context, a) => Trim(a[0], a[1], context), true, "chars"),
        new("upper", (context, a) => TextOperations.Map(Soft(a[0], context), (_, c) => char.ToUpperInvariant(c), context), true),
        new("lower", (context, a) => TextOperations.Map(Soft(a[0], context), (_, c) => char.ToLowerInvariant(c), context), true),
        new("capitalize", (context, a) => StringMethods.Capitalize(Soft(a[0], context), context), true),
        new("title", (context, a) => TextOperations.Map(Soft(a[0], context), Title, context), true),
        new("replace", Replace, true, "old", "new", "count"),
        new("join", Join, true, "d", "attribute"),
        new("indent", Indent, true, "width", "first", "blank"),
        new("center", (context, a) => Padding.Pad(Soft(a[0], context), a[1].IsMissing ? Value.FromInteger(80) : a[1], default, 'c', context), true, "width"),
        new("truncate", Truncate, true, "length", "killwords", "end", "leeway"),
        new("wordcount", (context, a) => Value.FromInteger(CountWords(Soft(a[0], context).Text, context)), true),
        new("format", (context, target, arguments) => Format(context, target, arguments)),
        new("safe", (context, a) => new Value(PythonFormat.ToText(a[0], context), isMarkup: true), true),
        new("escape", (context, a) => Escape(a[0], context), true),
        new("e", (context, a) => Escape(a[0], context), true),
        new("forceescape", (context, a) => new Value(Markup.Escape(PythonFormat.ToText(a[0], context), context), isMarkup: true), true),
        new("urlencode", (context, a) => UrlEncode(a[0], context), true),
    ];

    /// <summary>The value as a string; a string stays what it is, markup or not.</summary>
    private static Value Soft(Value value, RenderContext context)
    {
        return value.IsString ? value : new Value(PythonFormat.ToText(value, context));
    }

    private static Value Trim(Value value, Value characters, RenderContext context)
    {
        Value text = Soft(value, context);
        return new Value(TextOperations.Strip(text.Text, characters, true, true, context), text.IsMarkup);
    }

    private static char Title(char previous, char character)
    {
        bool isStart = previous is '\0' or '-' or '(' or '{' or '[' or '<' || TextOperations.IsSpace(previous);
        return isStart ? char.ToUpperInvariant(character) : char.ToLowerInvariant(character);
    }

    private static Value Replace(RenderContext context, ReadOnlySpan<Value> a)
    {
        if (a[1].IsMissing || a[2].IsMissing)
        {
            throw new ChatTemplateException("replace needs the text to find and the text to put in its place");
        }

        return new Value(TextOperations.Replace(
            PythonFormat.ToText(a[0], context), PythonFormat.ToText(a[1], context), PythonFormat.ToText(a[2], context), Arguments.Integer(a[3], -1), context));
    }

    private static Value Join(RenderContext context, ReadOnlySpan<Value> a)
    {
        List<Value> items = PythonTypes.Iterate(a[0], context);
        if (!a[2].IsMissing && !a[2].IsNone)
        {
            Value attribute = a[2];
            items = items.ConvertAll(item => SelectionFilters.Attribute(item, attribute, default, context));
        }

        TrackedString separator = a[1].IsMissing ? TrackedString.Empty : PythonFormat.ToText(a[1], context);
        return TextOperations.Join(separator, items, isStrict: false, isMarkup: false, context);
    }

    private static Value Indent(RenderContext context, ReadOnlySpan<Value> a)
    {
        PythonTypes.RequireDefined(a[0]);
        Value text = a[0].IsString
            ? a[0]
            : throw new ChatTemplateException($"unsupported operand type(s) for +=: '{PythonTypes.NameOf(a[0])}' and 'str'");
        Value indention = a[1].IsString ? a[1] : Arithmetic.Apply("*", Value.FromString(" "), a[1].IsMissing ? Value.FromInteger(4) : a[1], context);
        bool indentFirst = Arguments.IsTrue(a[2], false);
        bool indentBlank = Arguments.IsTrue(a[3], false);
        TextBuilder output = new(context.Budget);
        TrackedString newLine = new("\n", Origin.Template);
        List<Value> lines = TextOperations.SplitLines(
            new Value(TrackedString.Concat(text.Text, newLine, context.Budget)), keepEnds: false, context);
        for (int i = 0; i < lines.Count; i++)
        {
            output.Append(i == 0 ? TrackedString.Empty : newLine);
            if (i == 0 ? indentFirst : indentBlank || lines[i].Text.Length > 0)
            {
                output.Append(indention.Text);
            }

            output.Append(lines[i].Text);
        }

        return new Value(output.ToTracked(), text.IsMarkup);
    }

    private static Value Truncate(RenderContext context, ReadOnlySpan<Value> a)
    {
        Value text = a[0];
        TrackedString end = a[3].IsMissing ? new TrackedString("...", Origin.Template) : PythonFormat.ToText(a[3], context);
        long length = Arguments.Integer(a[1], 255);
        long endLength = CodePoints.Count(end.AsSpan());
        if (length < endLength)
        {
            throw new ChatTemplateException($"expected length >= {endLength}, got {length}");
        }

        if (PythonTypes.LengthOf(text, context) <= length + Arguments.Integer(a[4], 5))
        {
            return text;
        }

        if (!text.IsString)
        {
            throw new ChatTemplateException($"truncate takes a string, not {PythonTypes.NameOf(text)}");
        }

        TrackedString kept = text.Text.Slice(0, CodePoints.ToUtf16(text.Text.AsSpan(), (int)(length - endLength)));
        if (!Arguments.IsTrue(a[2], false))
        {
            int space = kept.AsSpan().LastIndexOf(' ');
            kept = space < 0 ? kept : kept.Slice(0, space);
        }

        return new Value(TrackedString.Concat(kept, end, context.Budget), text.IsMarkup);
    }

    private static int CountWords(TrackedString text, RenderContext context)
    {
        context.Budget.ChargeScan(4L * text.Length);
        int count = 0;
        bool isInside = false;
        foreach (char character in text.AsSpan())
        {
            bool isWord = char.IsLetterOrDigit(character) || character == '_';
            count += isWord && !isInside ? 1 : 0;
            isInside = isWord;
        }

        return count;
    }

    private static Value Format(RenderContext context, Value target, CallArguments arguments)
    {
        if (arguments.Positional.Count > 0 && arguments.Named.Count > 0)
        {
            throw new ChatTemplateException("can't handle positional and keyword arguments at the same time");
        }

        DictValue named = new();
        foreach ((string name, Value value) in arguments.Named)
        {
            named.Entries[Value.FromString(name)] = value;
        }

        return PercentFormat.Apply(Soft(target, context), arguments.Named.Count > 0 ? new Value(named) : Value.FromTuple(arguments.Positional), context);
    }

    private static Value Escape(Value value, RenderContext context)
    {
        return value.IsMarkup ? value : new Value(Markup.Escape(PythonFormat.ToText(value, context), context), isMarkup: true);
    }

    private static Value UrlEncode(Value value, RenderContext context)
    {
        TrackedString text = PythonFormat.ToText(value, context);
        context.Budget.ChargeCharacters(9L * text.Length);
        string encoded = Uri.EscapeDataString(text.ToString()).Replace("%2F", "/", StringComparison.Ordinal);
        return new Value(new TrackedString(encoded, (text.Mask & Origin.Template) != 0 && text.Mask == Origin.Template ? Origin.Template : Origin.Client));
    }
}
