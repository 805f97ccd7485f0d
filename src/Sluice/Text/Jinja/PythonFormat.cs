using System.Globalization;

namespace Sluice.Text.Jinja;

/// <summary>Python's str() and repr().</summary>
internal static class PythonFormat
{
    public static void Write(Value value, TextBuilder output, RenderContext context)
    {
        switch (value.Kind)
        {
            case ValueKind.String:
                output.Append(value.Text);
                break;
            case ValueKind.Undefined:
                break;
            default:
                WriteRepr(value, output, context);
                break;
        }
    }

    public static TrackedString ToText(Value value, RenderContext context)
    {
        if (value.IsString)
        {
            return value.Text;
        }

        TextBuilder builder = new(context.Budget);
        Write(value, builder, context);
        return builder.ToTracked();
    }

    public static TrackedString ToRepr(Value value, RenderContext context)
    {
        TextBuilder builder = new(context.Budget);
        WriteRepr(value, builder, context);
        return builder.ToTracked();
    }

    /// <summary>A number, name or type, short enough for an error message.</summary>
    public static string Brief(Value value)
    {
        return value.IsNumber || value.IsNone ? Scalar(value) : PythonTypes.NameOf(value);
    }

    /// <summary>Python's repr of a float: the shortest digits that read back, an exponent below 1e-4 and from 1e16.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        if (value == 0)
        {
            return double.IsNegative(value) ? "-0.0" : "0.0";
        }

        string sign = value < 0 ? "-" : "";
        (string digits, int exponent) = ShortestDigits(Math.Abs(value));
        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
        {
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        }

        digits = digits.PadRight(exponent + 1, '0');
        return $"{sign}{digits[..(exponent + 1)]}.{(digits.Length > exponent + 1 ? digits[(exponent + 1)..] : "0")}";
    }

    /// <summary>The significant digits of the shortest form that reads back, and the power of ten of the first.</summary>
    private static (string Digits, int Exponent) ShortestDigits(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        int shift = 0;
        int at = text.IndexOf('E', StringComparison.Ordinal);
        if (at >= 0)
        {
            shift = int.Parse(text.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..at];
        }

        int point = text.IndexOf('.', StringComparison.Ordinal);
        int whole = point < 0 ? text.Length : point;
        string digits = text.Replace(".", "", StringComparison.Ordinal);
        string significant = digits.TrimStart('0');
        return (significant.TrimEnd('0'), shift + whole - (digits.Length - significant.Length) - 1);
    }

    private static string Scalar(Value value)
    {
        return value.Kind switch
        {
            ValueKind.None => "None",
            ValueKind.Boolean => value.Boolean ? "True" : "False",
            ValueKind.Integer => value.Integer.ToString(CultureInfo.InvariantCulture),
            ValueKind.BigInteger => value.BigInteger.ToString(CultureInfo.InvariantCulture),
            _ => Float(value.Number),
        };
    }

    private static void WriteRepr(Value value, TextBuilder output, RenderContext context)
    {
        RenderBudget.EnsureStack();
        context.Budget.ChargeSteps(1);
        switch (value.Kind)
        {
            case ValueKind.String when value.IsMarkup:
                output.Append("Markup(", Origin.Template);
                PythonStringRepr.Write(value.Text, output);
                output.Append(")", Origin.Template);
                break;
            case ValueKind.String:
                PythonStringRepr.Write(value.Text, output);
                break;
            case ValueKind.Undefined:
                output.Append("Undefined", Origin.Template);
                break;
            case ValueKind.List:
                WriteItems(value.Sequence, "[", "]", output, context);
                break;
            case ValueKind.Tuple:
                WriteItems(value.Sequence, "(", value.Sequence.Items.Count == 1 ? ",)" : ")", output, context);
                break;
            case ValueKind.Dict:
                WriteDict(value.Dict, output, context);
                break;
            case ValueKind.Range:
                WriteRange(value.Sequence.Items, output);
                break;
            case ValueKind.Generator:
                output.Append("<generator object>", Origin.Template);
                break;
            case ValueKind.Object:
                output.Append(value.Object.Describe(), Origin.Template);
                break;
            default:
                output.Append(Scalar(value), Origin.Template);
                break;
        }
    }

    private static void WriteItems(SequenceValue sequence, string open, string close, TextBuilder output, RenderContext context)
    {
        Origin origin = sequence.FromClient ? Origin.Client : Origin.Template;
        output.Append(open, origin);
        for (int i = 0; i < sequence.Items.Count; i++)
        {
            output.Append(i == 0 ? "" : ", ", origin);
            WriteRepr(sequence.Items[i], output, context);
        }

        output.Append(close, origin);
    }

    private static void WriteDict(DictValue dict, TextBuilder output, RenderContext context)
    {
        Origin origin = dict.FromClient ? Origin.Client : Origin.Template;
        bool isFirst = true;
        output.Append("{", origin);
        foreach ((Value key, Value value) in dict.Entries)
        {
            output.Append(isFirst ? "" : ", ", origin);
            isFirst = false;
            WriteRepr(key, output, context);
            output.Append(": ", origin);
            WriteRepr(value, output, context);
        }

        output.Append("}", origin);
    }

    private static void WriteRange(List<Value> items, TextBuilder output)
    {
        long start = items.Count > 0 ? items[0].Integer : 0;
        long step = items.Count > 1 ? items[1].Integer - start : 1;
        long stop = items.Count > 0 ? items[^1].Integer + step : 0;
        output.Append(step == 1 ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})", Origin.Template);
    }
}
