using System.Globalization;

namespace Sluice.Cli.Flags;

/// <summary>Numbers as people write them: <c>8k</c>, <c>25.6k</c>, <c>1K</c>, <c>4GiB</c>.</summary>
internal static class HumanNumber
{
    // As in vLLM: a small letter counts in thousands, a capital one in powers of 1024.
    private const string SmallLetters = "kmgt";
    private const string CapitalLetters = "KMGT";

    /// <summary>A whole number, with an optional k, m, g, t (decimal) or K, M, G, T (binary).</summary>
    public static bool TryParseInteger(string text, out long value)
    {
        value = 0;
        if (text.Length == 0)
        {
            return false;
        }

        (double factor, int suffixLength) = Factor(text[^1]);
        return TryScale(text[..^suffixLength], factor, out value);
    }

    /// <summary>Bytes: plain, or with KB, MB, GB, TB (decimal), KiB, MiB, GiB, TiB (binary), or the letters of whole numbers.</summary>
    public static bool TryParseBytes(string text, out long value)
    {
        string trimmed = text.Trim();
        if (trimmed.EndsWith("iB", StringComparison.Ordinal) && trimmed.Length > 2)
        {
            int power = CapitalLetters.IndexOf(char.ToUpperInvariant(trimmed[^3])) + 1;
            value = 0;
            return power > 0 && TryScale(trimmed[..^3], Math.Pow(1024, power), out value);
        }

        if (trimmed.EndsWith('B') && trimmed.Length > 1)
        {
            int power = CapitalLetters.IndexOf(char.ToUpperInvariant(trimmed[^2])) + 1;
            return power > 0 ? TryScale(trimmed[..^2], Math.Pow(1000, power), out value) : TryScale(trimmed[..^1], 1, out value);
        }

        return TryParseInteger(trimmed, out value);
    }

    private static (double Factor, int SuffixLength) Factor(char last)
    {
        int small = SmallLetters.IndexOf(last);
        if (small >= 0)
        {
            return (Math.Pow(1000, small + 1), 1);
        }

        int capital = CapitalLetters.IndexOf(last);
        return capital >= 0 ? (Math.Pow(1024, capital + 1), 1) : (1, 0);
    }

    private static bool TryScale(string digits, double factor, out long value)
    {
        value = 0;
        if (factor == 1)
        {
            return long.TryParse(digits.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
        }

        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (!double.TryParse(digits.Trim(), Style, CultureInfo.InvariantCulture, out double number))
        {
            return false;
        }

        double scaled = Math.Round(number * factor, 3);
        if (scaled != Math.Floor(scaled) || Math.Abs(scaled) > long.MaxValue / 2)
        {
            return false;
        }

        value = (long)scaled;
        return true;
    }
}
