using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>The part after the colon in str.format: [[fill]align][sign][#][0][width][,_][.precision][type].</summary>
internal readonly record struct FormatSpecification(
    char Fill, char Alignment, char Sign, bool IsAlternate, int Width, char Grouping, int? Precision, char Type)
{
    public static FormatSpecification Parse(string text)
    {
        int position = 0;
        char fill = ' ';
        char alignment = '\0';
        if (text.Length > 1 && "<>=^".Contains(text[1], StringComparison.Ordinal))
        {
            fill = text[0];
            alignment = text[1];
            position = 2;
        }
        else if (text.Length > 0 && "<>=^".Contains(text[0], StringComparison.Ordinal))
        {
            alignment = text[0];
            position = 1;
        }

        char sign = Take(text, ref position, "+- ");
        bool isAlternate = Take(text, ref position, "#") != '\0';
        if (Take(text, ref position, "0") != '\0' && alignment == '\0')
        {
            fill = '0';
            alignment = '=';
        }

        int width = ReadNumber(text, ref position) ?? 0;
        char grouping = Take(text, ref position, ",_");
        int? precision = Take(text, ref position, ".") != '\0' ? ReadNumber(text, ref position) ?? 0 : null;
        char type = Take(text, ref position, "sdfFeEgGxXobcn%");
        return position == text.Length
            ? new FormatSpecification(fill, alignment, sign, isAlternate, width, grouping, precision, type)
            : throw new ChatTemplateException($"Invalid format specifier '{text}'");
    }

    public void Write(Value value, TextBuilder output, RenderContext context)
    {
        bool isNumber = value.Kind is ValueKind.Integer or ValueKind.BigInteger or ValueKind.Float || (value.Kind == ValueKind.Boolean && Type is not ('\0' or 's'));
        if (!isNumber)
        {
            if (Type is not ('\0' or 's'))
            {
                throw new ChatTemplateException($"Unknown format code '{Type}' for object of type '{PythonTypes.NameOf(value)}'");
            }

            TrackedString text = PythonFormat.ToText(value, context);
            text = Precision is int limit ? text.Slice(0, CodePoints.ToUtf16(text.AsSpan(), limit)) : text;
            Padding.Write(text, Width, Fill, Alignment is '\0' or '=' ? '<' : Alignment, output);
            return;
        }

        string digits = Digits(value);
        string sign = digits[0] == '-' ? "-" : Sign is '+' or ' ' ? Sign.ToString() : "";
        digits = Group(digits.TrimStart('-'));
        if (Alignment == '=')
        {
            output.Append(sign, Origin.Template);
            Padding.Write(new TrackedString(digits, Origin.Template), Width - sign.Length, Fill, '>', output);
        }
        else
        {
            Padding.Write(new TrackedString(sign + digits, Origin.Template), Width, Fill, Alignment == '\0' ? '>' : Alignment, output);
        }
    }

    private string Digits(Value value)
    {
        if (Type is '\0' or 'n' && value.Kind == ValueKind.Float)
        {
            return Precision is int digits ? NumberFormat.Format(value, 'g', digits, false) : PythonFormat.Float(value.Number);
        }

        if (value.Kind == ValueKind.Float && Type is 'd' or 'x' or 'X' or 'o' or 'b' or 'c')
        {
            throw new ChatTemplateException($"Unknown format code '{Type}' for object of type 'float'");
        }

        return NumberFormat.Format(value, Type is '\0' or 'n' ? 'd' : Type, Precision, IsAlternate);
    }

    private string Group(string digits)
    {
        if (Grouping == '\0')
        {
            return digits;
        }

        int whole = digits.AsSpan().IndexOfAnyExceptInRange('0', '9');
        for (int at = (whole < 0 ? digits.Length : whole) - 3; at > 0; at -= 3)
        {
            digits = digits.Insert(at, Grouping.ToString());
        }

        return digits;
    }

    private static char Take(string text, ref int position, string choices)
    {
        return position < text.Length && choices.Contains(text[position], StringComparison.Ordinal) ? text[position++] : '\0';
    }

    private static int? ReadNumber(string text, ref int position)
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

        return int.TryParse(text.AsSpan(start, position - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new ChatTemplateException("Too many decimal digits in format string");
    }
}
