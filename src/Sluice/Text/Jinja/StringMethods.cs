using System.Collections.Frozen;
using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>The methods of str.</summary>
internal static class StringMethods
{
    private static readonly FrozenDictionary<string, Builtin> Methods = new Builtin[]
    {
        new("upper", (context, a) => TextOperations.Map(a[0], (_, c) => char.ToUpperInvariant(c), context), true),
        new("lower", (context, a) => TextOperations.Map(a[0], (_, c) => char.ToLowerInvariant(c), context), true),
        new("casefold", (context, a) => TextOperations.Map(a[0], (_, c) => char.ToLowerInvariant(c), context), true),
        new("swapcase", (context, a) => TextOperations.Map(a[0], (_, c) => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c), context), true),
        new("title", (context, a) => TextOperations.Map(a[0], (p, c) => char.IsLetter(p) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c), context), true),
        new("capitalize", (context, a) => Capitalize(a[0], context), true),
        new("strip", (context, a) => Strip(a, true, true, context), true, "chars"),
        new("lstrip", (context, a) => Strip(a, true, false, context), true, "chars"),
        new("rstrip", (context, a) => Strip(a, false, true, context), true, "chars"),
        new("split", (context, a) => Split(a, fromEnd: false, context), true, "sep", "maxsplit"),
        new("rsplit", (context, a) => Split(a, fromEnd: true, context), true, "sep", "maxsplit"),
        new("splitlines", (context, a) => Value.FromList(TextOperations.SplitLines(a[0], Arguments.IsTrue(a[1], false), context)), true, "keepends"),
        new("partition", (context, a) => Partition(a, fromEnd: false, context), true, "sep"),
        new("rpartition", (context, a) => Partition(a, fromEnd: true, context), true, "sep"),
        new("startswith", (context, a) => Affix(a, atEnd: false, context), true, "prefix", "start", "end"),
        new("endswith", (context, a) => Affix(a, atEnd: true, context), true, "suffix", "start", "end"),
        new("removeprefix", (_, a) => RemoveAffix(a, atEnd: false), true, "prefix"),
        new("removesuffix", (_, a) => RemoveAffix(a, atEnd: true), true, "suffix"),
        new("replace", Replace, true, "old", "new", "count"),
        new("find", (context, a) => Value.FromInteger(Find(a, fromEnd: false, context)), true, "sub", "start", "end"),
        new("rfind", (context, a) => Value.FromInteger(Find(a, fromEnd: true, context)), true, "sub", "start", "end"),
        new("index", (context, a) => Found(Find(a, fromEnd: false, context)), true, "sub", "start", "end"),
        new("rindex", (context, a) => Found(Find(a, fromEnd: true, context)), true, "sub", "start", "end"),
        new("count", Count, true, "sub"),
        new("join", (context, a) => TextOperations.Join(a[0].Text, PythonTypes.Iterate(a[1], context), true, a[0].IsMarkup, context), true, "iterable"),
        new("format", (context, target, arguments) => StringFormat.Apply(context, target, arguments)),
        new("ljust", (context, a) => Padding.Pad(a[0], a[1], a[2], '<', context), true, "width", "fillchar"),
        new("rjust", (context, a) => Padding.Pad(a[0], a[1], a[2], '>', context), true, "width", "fillchar"),
        new("center", (context, a) => Padding.Pad(a[0], a[1], a[2], 'c', context), true, "width", "fillchar"),
        new("zfill", ZeroFill, true, "width"),
        new("isdigit", (context, a) => All(a[0], char.IsDigit, context), true),
        new("isdecimal", (context, a) => All(a[0], char.IsDigit, context), true),
        new("isnumeric", (context, a) => All(a[0], char.IsNumber, context), true),
        new("isalpha", (context, a) => All(a[0], char.IsLetter, context), true),
        new("isalnum", (context, a) => All(a[0], c => char.IsLetter(c) || char.IsNumber(c), context), true),
        new("isspace", (context, a) => All(a[0], TextOperations.IsSpace, context), true),
        new("isascii", (context, a) => Value.FromBoolean(a[0].Text.Length == 0 || All(a[0], char.IsAscii, context).Boolean), true),
        new("isupper", (context, a) => HasCase(a[0], char.IsUpper, char.IsLower, context), true),
        new("islower", (context, a) => HasCase(a[0], char.IsLower, char.IsUpper, context), true),
    }.ToFrozenDictionary(method => method.Name, StringComparer.Ordinal);

    public static Builtin? Find(string name)
    {
        return Methods.GetValueOrDefault(name);
    }

    public static Value Capitalize(Value target, RenderContext context)
    {
        bool isFirst = true;
        return TextOperations.Map(
            target,
            (_, character) =>
            {
                char mapped = isFirst ? char.ToUpperInvariant(character) : char.ToLowerInvariant(character);
                isFirst = false;
                return mapped;
            },
            context);
    }

    private static Value Strip(ReadOnlySpan<Value> a, bool atStart, bool atEnd, RenderContext context)
    {
        return new Value(TextOperations.Strip(a[0].Text, a[1], atStart, atEnd, context), a[0].IsMarkup);
    }

    private static Value Split(ReadOnlySpan<Value> a, bool fromEnd, RenderContext context)
    {
        long limit = Arguments.Integer(a[2], -1);
        if (a[1].IsMissing || a[1].IsNone)
        {
            return Value.FromList(TextOperations.SplitWhitespace(a[0], limit, fromEnd, context));
        }

        TrackedString separator = Arguments.Text(a[1], "split()");
        return Value.FromList(fromEnd
            ? TextOperations.SplitFromEnd(a[0], separator, limit, context)
            : TextOperations.Split(a[0], separator, limit, context));
    }

    private static Value Partition(ReadOnlySpan<Value> a, bool fromEnd, RenderContext context)
    {
        List<Value> parts = fromEnd
            ? TextOperations.SplitFromEnd(a[0], Arguments.Text(a[1], "partition()"), 1, context)
            : TextOperations.Split(a[0], Arguments.Text(a[1], "partition()"), 1, context);
        return parts.Count == 2
            ? Value.FromTuple([parts[0], a[1], parts[1]])
            : Value.FromTuple(fromEnd ? [Value.EmptyString, Value.EmptyString, parts[0]] : [parts[0], Value.EmptyString, Value.EmptyString]);
    }

    private static Value Affix(ReadOnlySpan<Value> a, bool atEnd, RenderContext context)
    {
        TrackedString text = MemberAccess.Slice(a[0], Bound(a[2]), Bound(a[3]), Value.None, context).Text;
        List<Value> candidates = a[1].Kind == ValueKind.Tuple ? a[1].Sequence.Items : [a[1]];
        foreach (Value candidate in candidates)
        {
            ReadOnlySpan<char> affix = Arguments.Text(candidate, atEnd ? "endswith first" : "startswith first").AsSpan();
            context.Budget.ChargeScan(affix.Length);
            if (atEnd ? text.AsSpan().EndsWith(affix, StringComparison.Ordinal) : text.AsSpan().StartsWith(affix, StringComparison.Ordinal))
            {
                return Value.True;
            }
        }

        return Value.False;
    }

    private static Value Bound(Value value)
    {
        return value.IsMissing ? Value.None : value;
    }

    private static Value RemoveAffix(ReadOnlySpan<Value> a, bool atEnd)
    {
        TrackedString text = a[0].Text;
        TrackedString affix = Arguments.Text(a[1], atEnd ? "removesuffix()" : "removeprefix()");
        bool matches = atEnd
            ? text.AsSpan().EndsWith(affix.AsSpan(), StringComparison.Ordinal)
            : text.AsSpan().StartsWith(affix.AsSpan(), StringComparison.Ordinal);
        return matches ? new Value(text.Slice(atEnd ? 0 : affix.Length, text.Length - affix.Length), a[0].IsMarkup) : a[0];
    }

    private static Value Replace(RenderContext context, ReadOnlySpan<Value> a)
    {
        TrackedString old = Arguments.Text(a[1], "replace()");
        TrackedString replacement = Arguments.Text(a[2], "replace()");
        return new Value(TextOperations.Replace(a[0].Text, old, replacement, Arguments.Integer(a[3], -1), context), a[0].IsMarkup);
    }

    /// <summary>The code point index of a substring within the slice [start, end), or -1.</summary>
    private static int Find(ReadOnlySpan<Value> a, bool fromEnd, RenderContext context)
    {
        TrackedString wanted = Arguments.Text(a[1], "find()");
        ReadOnlySpan<char> all = a[0].Text.AsSpan();
        context.Budget.ChargeScan(4L * all.Length);
        int count = CodePoints.Count(all);
        int start = Clamp(Arguments.Integer(a[2], 0), count);
        int end = Clamp(Arguments.Integer(a[3], count), count);
        int first = CodePoints.ToUtf16(all, start);
        ReadOnlySpan<char> part = start > end ? default : all[first..CodePoints.ToUtf16(all, end)];
        int found = fromEnd ? part.LastIndexOf(wanted.AsSpan(), StringComparison.Ordinal) : part.IndexOf(wanted.AsSpan(), StringComparison.Ordinal);
        return found < 0 || start > end ? -1 : start + CodePoints.Count(part[..found]);
    }

    private static int Clamp(long bound, int count)
    {
        return (int)Math.Clamp(bound < 0 ? bound + count : bound, 0, count);
    }

    private static Value Found(int index)
    {
        return index >= 0 ? Value.FromInteger(index) : throw new ChatTemplateException("substring not found");
    }

    private static Value Count(RenderContext context, ReadOnlySpan<Value> a)
    {
        TrackedString wanted = Arguments.Text(a[1], "count()");
        context.Budget.ChargeScan(2L * a[0].Text.Length);
        return Value.FromInteger(
            wanted.Length == 0 ? CodePoints.Count(a[0].Text.AsSpan()) + 1 : a[0].Text.AsSpan().Count(wanted.AsSpan()));
    }

    private static Value ZeroFill(RenderContext context, ReadOnlySpan<Value> a)
    {
        TrackedString text = a[0].Text;
        bool hasSign = text.Length > 0 && text.AsSpan()[0] is '+' or '-';
        TextBuilder output = new(context.Budget);
        int sign = hasSign ? 1 : 0;
        output.Append(text.Slice(0, sign));
        Padding.Write(text.Slice(sign, text.Length - sign), Arguments.Integer(a[1], 0) - sign, '0', '>', output);
        return new Value(output.ToTracked());
    }

    private static Value All(Value target, Func<char, bool> test, RenderContext context)
    {
        context.Budget.ChargeScan(4L * target.Text.Length);
        foreach (char character in target.Text.AsSpan())
        {
            if (!test(character))
            {
                return Value.False;
            }
        }

        return Value.FromBoolean(target.Text.Length > 0);
    }

    private static Value HasCase(Value target, Func<char, bool> isWanted, Func<char, bool> isOther, RenderContext context)
    {
        context.Budget.ChargeScan(4L * target.Text.Length);
        bool isFound = false;
        foreach (char character in target.Text.AsSpan())
        {
            if (isOther(character) || char.GetUnicodeCategory(character) == UnicodeCategory.TitlecaseLetter)
            {
                return Value.False;
            }

            isFound |= isWanted(character);
        }

        return Value.FromBoolean(isFound);
    }
}
