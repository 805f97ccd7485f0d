using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>Python's str.format: {} {0} {name} {0.attribute} {0[key]} with conversions and format specifications.</summary>
internal static class StringFormat
{
    private const long StepsPerField = 4;

    public static Value Apply(RenderContext context, Value format, CallArguments arguments)
    {
        TextBuilder output = new(context.Budget);
        ReadOnlySpan<char> text = format.Text.AsSpan();
        context.Budget.ChargeScan(4L * text.Length);
        int automatic = 0;
        int position = 0;
        while (position < text.Length)
        {
            context.Budget.ChargeSteps(StepsPerField);
            int brace = text[position..].IndexOfAny('{', '}');
            int end = brace < 0 ? text.Length : position + brace;
            output.Append(format.Text.Slice(position, end - position));
            position = end;
            if (brace < 0)
            {
                break;
            }

            if (position + 1 < text.Length && text[position + 1] == text[position])
            {
                output.Append(format.Text.Slice(position, 1));
                position += 2;
                continue;
            }

            int close = text[position..].IndexOf('}');
            if (text[position] == '}' || close < 0)
            {
                throw new ChatTemplateException($"Single '{text[position]}' encountered in format string");
            }

            WriteField(text.Slice(position + 1, close - 1).ToString(), format.IsMarkup, ref automatic, arguments, output, context);
            position += close + 1;
        }

        return new Value(output.ToTracked(), format.IsMarkup);
    }

    private static void WriteField(string field, bool escape, ref int automatic, CallArguments arguments, TextBuilder output, RenderContext context)
    {
        int colon = field.IndexOf(':', StringComparison.Ordinal);
        string specification = colon < 0 ? "" : field[(colon + 1)..];
        string name = colon < 0 ? field : field[..colon];
        int bang = name.IndexOf('!', StringComparison.Ordinal);
        string conversion = bang < 0 ? "" : name[(bang + 1)..];
        name = bang < 0 ? name : name[..bang];
        Value value = Resolve(name, ref automatic, arguments, context);
        if (conversion.Length > 0)
        {
            value = new Value(conversion == "s" ? PythonFormat.ToText(value, context) : PythonFormat.ToRepr(value, context));
        }

        if (escape && !value.IsMarkup)
        {
            value = new Value(Markup.Escape(PythonFormat.ToText(value, context), context));
        }

        FormatSpecification.Parse(specification).Write(value, output, context);
    }

    private static Value Resolve(string name, ref int automatic, CallArguments arguments, RenderContext context)
    {
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end];
        Value value;
        if (first.Length == 0 || char.IsAsciiDigit(first[0]))
        {
            int index = first.Length == 0 ? automatic++ : int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : int.MaxValue;
            value = index < arguments.Positional.Count
                ? arguments.Positional[index]
                : throw new ChatTemplateException("tuple index out of range");
        }
        else
        {
            int index = arguments.Named.FindIndex(named => named.Key == first);
            value = index >= 0 ? arguments.Named[index].Value : throw new ChatTemplateException($"'{first}'");
        }

        while (end >= 0 && end < name.Length)
        {
            bool isItem = name[end] == '[';
            int start = end + 1;
            int stop = isItem ? name.IndexOf(']', start) : name.AsSpan(start).IndexOfAny('.', '[') is int next and >= 0 ? start + next : name.Length;
            if (stop < start)
            {
                throw new ChatTemplateException("expected '}' before end of string");
            }

            string part = name[start..stop];
            value = isItem && long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long element)
                ? MemberAccess.GetItem(value, Value.FromInteger(element), context)
                : isItem
                    ? MemberAccess.GetItem(value, Value.FromString(part), context)
                    : MemberAccess.GetAttribute(value, part, Value.FromString(part));
            end = isItem ? stop + 1 : stop;
        }

        return value;
    }
}
