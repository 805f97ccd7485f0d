using System.Globalization;

namespace Sluice.Text.Patterns;

/// <summary>Code point access to UTF-16 text, and the Unicode properties that tokenizers name.</summary>
internal static class CodePoints
{
    public const int Maximum = 0x10FFFF;

    public const uint Letters = (1u << (int)UnicodeCategory.UppercaseLetter) | (1u << (int)UnicodeCategory.LowercaseLetter)
        | (1u << (int)UnicodeCategory.TitlecaseLetter) | (1u << (int)UnicodeCategory.ModifierLetter)
        | (1u << (int)UnicodeCategory.OtherLetter);

    public const uint Marks = (1u << (int)UnicodeCategory.NonSpacingMark) | (1u << (int)UnicodeCategory.SpacingCombiningMark)
        | (1u << (int)UnicodeCategory.EnclosingMark);

    public const uint Numbers = (1u << (int)UnicodeCategory.DecimalDigitNumber) | (1u << (int)UnicodeCategory.LetterNumber)
        | (1u << (int)UnicodeCategory.OtherNumber);

    public const uint Punctuation = (1u << (int)UnicodeCategory.ConnectorPunctuation)
        | (1u << (int)UnicodeCategory.DashPunctuation) | (1u << (int)UnicodeCategory.OpenPunctuation)
        | (1u << (int)UnicodeCategory.ClosePunctuation) | (1u << (int)UnicodeCategory.InitialQuotePunctuation)
        | (1u << (int)UnicodeCategory.FinalQuotePunctuation) | (1u << (int)UnicodeCategory.OtherPunctuation);

    public const uint Symbols = (1u << (int)UnicodeCategory.MathSymbol) | (1u << (int)UnicodeCategory.CurrencySymbol)
        | (1u << (int)UnicodeCategory.ModifierSymbol) | (1u << (int)UnicodeCategory.OtherSymbol);

    public const uint Separators = (1u << (int)UnicodeCategory.SpaceSeparator) | (1u << (int)UnicodeCategory.LineSeparator)
        | (1u << (int)UnicodeCategory.ParagraphSeparator);

    public const uint Others = (1u << (int)UnicodeCategory.Control) | (1u << (int)UnicodeCategory.Format)
        | (1u << (int)UnicodeCategory.Surrogate) | (1u << (int)UnicodeCategory.PrivateUse)
        | (1u << (int)UnicodeCategory.OtherNotAssigned);

    /// <summary>The code point at <paramref name="index"/> and its length in UTF-16 units; a lone surrogate is returned as it is.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int unitCount)
    {
        char first = text[index];
        if (char.IsHighSurrogate(first) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            unitCount = 2;
            return char.ConvertToUtf32(first, text[index + 1]);
        }

        unitCount = 1;
        return first;
    }

    /// <summary>The code point that ends just before <paramref name="end"/>.</summary>
    public static int Before(ReadOnlySpan<char> text, int end, out int unitCount)
    {
        char last = text[end - 1];
        if (char.IsLowSurrogate(last) && end >= 2 && char.IsHighSurrogate(text[end - 2]))
        {
            unitCount = 2;
            return char.ConvertToUtf32(text[end - 2], last);
        }

        unitCount = 1;
        return last;
    }

    public static bool IsInCategories(int codePoint, uint categories) =>
        ((categories >> (int)CharUnicodeInfo.GetUnicodeCategory(codePoint)) & 1) != 0;

    /// <summary>The Unicode property White_Space; all of it lies in the basic plane.</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint <= 0xFFFF && char.IsWhiteSpace((char)codePoint);

    public static bool IsNumeric(int codePoint) => IsInCategories(codePoint, Numbers);

    /// <summary>Any punctuation category, and the ASCII symbols that programmers call punctuation.</summary>
    public static bool IsPunctuation(int codePoint) => codePoint < 128
        ? codePoint is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
        : IsInCategories(codePoint, Punctuation);

    /// <summary>Unicode's word characters: alphabetic, marks, decimal digits, connector punctuation, join controls.</summary>
    public static bool IsWord(int codePoint) =>
        IsInCategories(codePoint, Letters | Marks | (1u << (int)UnicodeCategory.DecimalDigitNumber)
            | (1u << (int)UnicodeCategory.LetterNumber) | (1u << (int)UnicodeCategory.ConnectorPunctuation))
        || codePoint is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    public static int ToLower(int codePoint) => char.IsSurrogate((char)codePoint) && codePoint <= 0xFFFF
        ? codePoint
        : System.Text.Rune.ToLowerInvariant(new System.Text.Rune(codePoint)).Value;

    public static int ToUpper(int codePoint) => codePoint switch
    {
        // .NET's invariant casing leaves the long s out; Unicode's simple case mapping has it.
        0x017F => 'S',
        <= 0xFFFF when char.IsSurrogate((char)codePoint) => codePoint,
        _ => System.Text.Rune.ToUpperInvariant(new System.Text.Rune(codePoint)).Value,
    };
}
