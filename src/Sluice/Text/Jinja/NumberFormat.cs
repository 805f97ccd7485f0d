using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>Numbers in the presentation types that <c>%</c> and <c>str.format</c> share: d f e g x o b c and %.</summary>
internal static class NumberFormat
{
    /// <summary>More digits than any double has; a larger request is an attack or a mistake.</summary>
    private const int MaxPrecision = 100;

    /// <summary>The digits with a leading "-" where negative; no sign, width or grouping.</summary>
    public static string Format(Value value, char type, int? precision, bool alternate)
    {
        PythonTypes.RequireDefined(value);
        if (!value.IsNumber)
        {
            throw new ChatTemplateException($"%{type} format: a real number is required, not {PythonTypes.NameOf(value)}");
        }

        int digits = precision ?? 6;
        if (digits > MaxPrecision)
        {
            throw new ChatTemplateException($"a precision of {digits} is more than {MaxPrecision}");
        }

        return type switch
        {
            'f' or 'F' => value.Number.ToString("F" + digits, CultureInfo.InvariantCulture),
            '%' => (value.Number * 100).ToString("F" + digits, CultureInfo.InvariantCulture) + "%",
            'e' or 'E' => Scientific(value.Number, digits, type),
            'g' or 'G' => General(value.Number, Math.Max(1, digits), type),
            _ => FormatInteger(value, type, alternate),
        };
    }

    private static string FormatInteger(Value value, char type, bool alternate)
    {
        if (value.Kind == ValueKind.BigInteger)
        {
            return PythonFormat.Brief(value);
        }

        long number = value.Kind == ValueKind.Float ? (long)Math.Truncate(value.Number) : value.Integer;
        string sign = number < 0 ? "-" : "";
        ulong magnitude = number < 0 ? (ulong)-(number + 1) + 1 : (ulong)number;
        return type switch
        {
            'x' => $"{sign}{(alternate ? "0x" : "")}{magnitude:x}",
            'X' => $"{sign}{(alternate ? "0X" : "")}{magnitude:X}",
            'o' => $"{sign}{(alternate ? "0o" : "")}{Convert.ToString((long)magnitude, 8)}",
            'b' => $"{sign}{(alternate ? "0b" : "")}{magnitude:b}",
            _ => number.ToString(CultureInfo.InvariantCulture),
        };
    }

    private static string Scientific(double number, int digits, char type)
    {
        string text = number.ToString((type == 'e' ? "e" : "E") + digits, CultureInfo.InvariantCulture);
        int at = text.IndexOf(type, StringComparison.Ordinal);
        int exponent = int.Parse(text.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return $"{text[..(at + 1)]}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private static string General(double number, int digits, char type)
    {
        if (!double.IsFinite(number))
        {
            return PythonFormat.Float(number);
        }

        char letter = type == 'g' ? 'e' : 'E';
        string scientific = Scientific(number, digits - 1, letter);
        int at = scientific.IndexOf(letter, StringComparison.Ordinal);
        int exponent = int.Parse(scientific.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent < -4 || exponent >= digits)
        {
            return TrimZeros(scientific[..at]) + scientific[at..];
        }

        return TrimZeros(number.ToString("F" + (digits - 1 - exponent), CultureInfo.InvariantCulture));
    }

    private static string TrimZeros(string number)
    {
        return number.Contains('.', StringComparison.Ordinal) ? number.TrimEnd('0').TrimEnd('.') : number;
    }
}
