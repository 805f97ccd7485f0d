using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>Python's <c>"…%s…" % values</c>.</summary>
internal static class PercentFormat
{
    private const long StepsPerField = 4;

    public static Value Apply(Value format, Value values, RenderContext context)
    {
        List<Value> items = values.Kind == ValueKind.Tuple ? values.Sequence.Items : [values];
        TextBuilder output = new(context.Budget);
        ReadOnlySpan<char> text = format.Text.AsSpan();
        context.Budget.ChargeScan(4L * text.Length);
        int next = 0;
        int position = 0;
        while (position < text.Length)
        {
            context.Budget.ChargeSteps(StepsPerField);
            int percent = text[position..].IndexOf('%');
            if (percent < 0)
            {
                output.Append(format.Text.Slice(position, text.Length - position));
                break;
            }

            output.Append(format.Text.Slice(position, percent));
            position += percent + 1;
            if (position < text.Length && text[position] == '%')
            {
                output.Append("%", Origin.Template);
                position++;
                continue;
            }

            Conversion conversion = Conversion.Parse(text, ref position, items, ref next, values);
            Write(conversion, format.IsMarkup, output, context);
        }

        if (next < items.Count && values.Kind != ValueKind.Dict && !(values.IsUndefined || values.IsSequence && values.Kind != ValueKind.Tuple))
        {
            throw new ChatTemplateException("not all arguments converted during string formatting");
        }

        return new Value(output.ToTracked(), format.IsMarkup);
    }

    private static void Write(Conversion conversion, bool escape, TextBuilder output, RenderContext context)
    {
        TrackedString text;
        if (conversion.Type is 's' or 'r' or 'a')
        {
            text = conversion.Type == 's' ? PythonFormat.ToText(conversion.Value, context) : PythonFormat.ToRepr(conversion.Value, context);
            if (conversion.Precision is int limit && text.Length > limit)
            {
                text = text.Slice(0, CodePoints.ToUtf16(text.AsSpan(), limit));
            }

            text = escape && !conversion.Value.IsMarkup ? Markup.Escape(text, context) : text;
        }
        else if (conversion.Type == 'c')
        {
            text = conversion.Value.IsString ? conversion.Value.Text : TextOf(((char)Math.Clamp(conversion.Value.Integer, 0, char.MaxValue)).ToString());
        }
        else
        {
            string digits = NumberFormat.Format(conversion.Value, conversion.Type, conversion.Precision, conversion.Flags.Contains('#', StringComparison.Ordinal));
            string sign = digits[0] == '-' ? "-" : conversion.Flags.Contains('+', StringComparison.Ordinal) ? "+" : conversion.Flags.Contains(' ', StringComparison.Ordinal) ? " " : "";
            digits = digits.TrimStart('-');
            bool zeros = conversion.Flags.Contains('0', StringComparison.Ordinal) && !conversion.Flags.Contains('-', StringComparison.Ordinal);
            output.Append(sign, Origin.Template);
            Padding.Write(TextOf(digits), conversion.Width - sign.Length, zeros ? '0' : ' ', conversion.Flags.Contains('-', StringComparison.Ordinal) ? '<' : '>', output);
            return;
        }

        Padding.Write(text, conversion.Width, ' ', conversion.Flags.Contains('-', StringComparison.Ordinal) ? '<' : '>', output);
    }

    private static TrackedString TextOf(string text)
    {
        return new TrackedString(text, Origin.Template);
    }

    private readonly record struct Conversion(Value Value, string Flags, int Width, int? Precision, char Type)
    {
        public static Conversion Parse(ReadOnlySpan<char> text, ref int position, List<Value> items, ref int next, Value values)
        {
            Value value = default;
            if (position < text.Length && text[position] == '(')
            {
                int close = text[position..].IndexOf(')');
                if (values.Kind != ValueKind.Dict || close < 0)
                {
                    throw new ChatTemplateException(close < 0 ? "incomplete format key" : "format requires a mapping");
                }

                string key = text[(position + 1)..(position + close)].ToString();
                value = values.Dict.TryGet(Value.FromString(key), out Value found) ? found : throw new ChatTemplateException($"'{key}'");
                position += close + 1;
            }

            int start = position;
            while (position < text.Length && "-+ #0".Contains(text[position]))
            {
                position++;
            }

            string flags = text[start..position].ToString();
            int width = ReadNumber(text, ref position) ?? 0;
            int? precision = null;
            if (position < text.Length && text[position] == '.')
            {
                position++;
                precision = ReadNumber(text, ref position) ?? 0;
            }

            if (position >= text.Length || !"srdiufFeEgGxXoca".Contains(text[position]))
            {
                throw new ChatTemplateException(position >= text.Length ? "incomplete format" : $"unsupported format character '{text[position]}'");
            }

            char type = text[position++];
            if (value.IsMissing)
            {
                value = next < items.Count ? items[next++] : throw new ChatTemplateException("not enough arguments for format string");
            }

            return new Conversion(value, flags, width, precision, type is 'i' or 'u' ? 'd' : type);
        }

        private static int? ReadNumber(ReadOnlySpan<char> text, ref int position)
        {
            int start = position;
            while (position < text.Length && char.IsAsciiDigit(text[position]))
            {
                position++;
            }

            if (start == position)
            {
                return null;
            }

            return int.TryParse(text[start..position], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                ? number
                : throw new ChatTemplateException("too many decimal digits in format string");
        }
    }
}
