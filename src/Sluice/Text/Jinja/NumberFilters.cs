using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>The filters that give numbers, and <c>default</c>.</summary>
internal static class NumberFilters
{
    public static readonly Builtin[] All =
    [
        new("abs", (_, a) => Abs(a[0]), true),
        new("int", ToInteger, true, "default", "base"),
        new("float", ToFloat, true, "default"),
        new("round", Round, true, "precision", "method"),
        new("length", (context, a) => Value.FromInteger(PythonTypes.LengthOf(a[0], context)), true),
        new("count", (context, a) => Value.FromInteger(PythonTypes.LengthOf(a[0], context)), true),
        new("default", (_, a) => Default(a), true, "default_value", "boolean"),
        new("d", (_, a) => Default(a), true, "default_value", "boolean"),
    ];

    private static Value Abs(Value value)
    {
        if (!value.IsNumber)
        {
            throw new ChatTemplateException($"bad operand type for abs(): '{PythonTypes.NameOf(value)}'");
        }

        return value.Kind is ValueKind.Integer or ValueKind.Boolean
            ? value.Integer < 0 ? Arithmetic.Sign(value, isNegative: true) : Value.FromInteger(value.Integer)
            : Value.FromFloat(Math.Abs(value.Number));
    }

    private static Value ToInteger(RenderContext context, ReadOnlySpan<Value> a)
    {
        PythonTypes.RequireDefined(a[0]);
        Value fallback = a[1].IsMissing ? Value.FromInteger(0) : a[1];
        int numberBase = (int)Arguments.Integer(a[2], 10);
        switch (a[0].Kind)
        {
            case ValueKind.Integer or ValueKind.Boolean:
                return Value.FromInteger(a[0].Integer);
            case ValueKind.BigInteger:
                return a[0];
            case ValueKind.Float:
                return FromDouble(a[0].Number, fallback);
            case ValueKind.String:
                string text = a[0].Text.Length > 64 ? "" : a[0].Text.ToString().Trim().Replace("_", "", StringComparison.Ordinal);
                if (TryParse(text, numberBase, out long number))
                {
                    return Value.FromInteger(number);
                }

                return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) ? FromDouble(real, fallback) : fallback;
            default:
                return fallback;
        }
    }

    private static Value FromDouble(double number, Value fallback)
    {
        return double.IsFinite(number) && Math.Abs(number) < long.MaxValue ? Value.FromInteger((long)number) : fallback;
    }

    private static bool TryParse(string text, int numberBase, out long number)
    {
        if (numberBase == 10)
        {
            return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
        }

        number = 0;
        bool isNegative = text.StartsWith('-');
        text = text.TrimStart('+', '-').ToLowerInvariant();
        string prefix = numberBase switch { 16 => "0x", 8 => "0o", 2 => "0b", _ => "\0" };
        text = text.StartsWith(prefix, StringComparison.Ordinal) ? text[2..] : text;
        foreach (char character in text)
        {
            int digit = char.IsAsciiDigit(character) ? character - '0' : char.IsAsciiLetterLower(character) ? character - 'a' + 10 : 99;
            if (digit >= numberBase || number > (long.MaxValue - digit) / numberBase)
            {
                return false;
            }

            number = (number * numberBase) + digit;
        }

        number = isNegative ? -number : number;
        return text.Length > 0;
    }

    private static Value ToFloat(RenderContext context, ReadOnlySpan<Value> a)
    {
        PythonTypes.RequireDefined(a[0]);
        if (a[0].IsNumber)
        {
            return Value.FromFloat(a[0].Number);
        }

        if (a[0].IsString && a[0].Text.Length <= 400
            && double.TryParse(a[0].Text.ToString().Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
        {
            return Value.FromFloat(number);
        }

        return a[1].IsMissing ? Value.FromFloat(0) : a[1];
    }

    private static Value Round(RenderContext context, ReadOnlySpan<Value> a)
    {
        if (!a[0].IsNumber)
        {
            throw new ChatTemplateException($"type {PythonTypes.NameOf(a[0])} doesn't define __round__ method");
        }

        int precision = (int)Math.Clamp(Arguments.Integer(a[1], 0), -300, 300);
        string method = a[2].IsMissing ? "common" : PythonFormat.ToText(a[2], context).ToString();
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw new ChatTemplateException("method must be common, ceil or floor");
        }

        if (method == "common")
        {
            return a[0].Kind == ValueKind.Float ? Value.FromFloat(RoundHalfEven(a[0].Number, precision))
                : precision >= 0 ? (a[0].Kind == ValueKind.Boolean ? Value.FromInteger(a[0].Integer) : a[0])
                : Value.FromInteger((long)RoundHalfEven(a[0].Number, precision));
        }

        double scale = Math.Pow(10, precision);
        double scaled = a[0].Number * scale;
        return Value.FromFloat((method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)) / scale);
    }

    /// <summary>Python rounds the exact decimal value of the float: its decimal expansion decides, not number * 10^n.</summary>
    private static double RoundHalfEven(double number, int precision)
    {
        if (!double.IsFinite(number) || precision > 22)
        {
            return number;
        }

        if (precision < 0)
        {
            double scale = Math.Pow(10, -precision);
            return Math.Round(number / scale, MidpointRounding.ToEven) * scale;
        }

        return precision == 0
            ? Math.Round(number, MidpointRounding.ToEven)
            : double.Parse(number.ToString("F" + precision, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    private static Value Default(ReadOnlySpan<Value> a)
    {
        bool isReplaced = a[0].IsUndefined || (Arguments.IsTrue(a[2], false) && !PythonTypes.IsTrue(a[0]));
        return !isReplaced ? a[0] : a[1].IsMissing ? Value.EmptyString : a[1];
    }
}
