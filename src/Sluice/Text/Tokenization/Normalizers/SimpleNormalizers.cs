using System.Globalization;
using Sluice.Text.Patterns;

namespace Sluice.Text.Tokenization.Normalizers;

/// <summary>Lower case, code point by code point (no final sigma, no language rules).</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    private const int CapitalIWithDot = 0x130;

    public override void Apply(NormalizedText text)
    {
        if (!text.Text.Contains((char)CapitalIWithDot))
        {
            text.Map(CodePoints.ToLower);
            return;
        }

        // The one code point whose lower case is two.
        text.Begin();
        int unitCount;
        for (int position = 0; position < text.Text.Length; position += unitCount)
        {
            int codePoint = CodePoints.At(text.Text, position, out unitCount);
            if (codePoint == CapitalIWithDot)
            {
                text.Emit("i\u0307", position);
            }
            else
            {
                text.EmitCodePoint(CodePoints.ToLower(codePoint), position);
            }
        }

        text.Commit();
    }
}

/// <summary>Removes white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        ReadOnlySpan<char> current = text.Text;
        int start = left ? current.Length - current.TrimStart().Length : 0;
        int end = right ? Math.Max(start, current.TrimEnd().Length) : current.Length;
        if (start > 0 || end < current.Length)
        {
            text.Begin();
            text.Copy(start, end);
            text.Commit();
        }
    }
}

/// <summary>Removes combining marks; a decomposing step comes before it.</summary>
internal sealed class StripAccentsNormalizer(uint categories) : Normalizer
{
    public override void Apply(NormalizedText text) =>
        text.Map(codePoint => codePoint >= 0x300 && CodePoints.IsInCategories(codePoint, categories) ? -1 : codePoint);
}

/// <summary>Puts a text in front of a text that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        if (text.Text.Length > 0)
        {
            text.Begin();
            text.Emit(prefix, 0);
            text.Copy(0, text.Text.Length);
            text.Commit();
        }
    }
}

/// <summary>Replaces every occurrence of a fixed text.</summary>
internal sealed class ReplaceLiteralNormalizer(string literal, string replacement) : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        int found = text.Text.IndexOf(literal, StringComparison.Ordinal);
        if (found < 0 || literal.Length == 0)
        {
            return;
        }

        text.Begin();
        int previous = 0;
        while (found >= 0)
        {
            int start = previous + found;
            text.Copy(previous, start);
            text.Emit(replacement, start);
            previous = start + literal.Length;
            found = text.Text[previous..].IndexOf(literal, StringComparison.Ordinal);
        }

        text.Copy(previous, text.Text.Length);
        text.Commit();
    }
}

/// <summary>Replaces every match of a regular expression by a fixed text.</summary>
internal sealed class ReplacePatternNormalizer(TextPattern pattern, string replacement) : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        int previous = 0;
        bool started = false;
        PatternMatcher matches = pattern.Matches(text.Text);
        while (matches.MoveNext())
        {
            if (!started)
            {
                text.Begin();
                started = true;
            }

            text.Copy(previous, matches.Start);
            text.Emit(replacement, matches.Start);
            previous = matches.End;
        }

        if (started)
        {
            text.Copy(previous, text.Text.Length);
            text.Commit();
        }
    }
}

/// <summary>Drops controls and maps odd spaces to the plain one, as SentencePiece's "nmt" rules do.</summary>
internal sealed class NmtNormalizer : Normalizer
{
    public override void Apply(NormalizedText text) => text.Map(static codePoint => codePoint switch
    {
        (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F => -1,
        0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581
            or 0xFEFF or 0xFFFD => ' ',
        _ => codePoint,
    });
}

/// <summary>BERT's cleaning: controls out, all white space plain.</summary>
internal sealed class CleanTextNormalizer : Normalizer
{
    private const uint AssignedControls = CodePoints.Others & ~(1u << (int)UnicodeCategory.OtherNotAssigned);

    public override void Apply(NormalizedText text) => text.Map(static codePoint => codePoint switch
    {
        0 or 0xFFFD => -1,
        '\t' or '\n' or '\r' => ' ',
        _ when CodePoints.IsInCategories(codePoint, AssignedControls) => -1,
        _ when CodePoints.IsWhiteSpace(codePoint) => ' ',
        _ => codePoint,
    });
}

/// <summary>BERT's spaces around each Chinese character.</summary>
internal sealed class SpacedIdeographsNormalizer : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        text.Begin();
        int unitCount;
        for (int position = 0; position < text.Text.Length; position += unitCount)
        {
            int codePoint = CodePoints.At(text.Text, position, out unitCount);
            if (IsIdeograph(codePoint))
            {
                text.Emit(' ', position);
                text.EmitCodePoint(codePoint, position);
                text.Emit(' ', position);
            }
            else
            {
                text.EmitCodePoint(codePoint, position);
            }
        }

        text.Commit();
    }

    private static bool IsIdeograph(int codePoint) => codePoint is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F)
        or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}

/// <summary>Writes the text's UTF-8 bytes in the byte-level alphabet.</summary>
internal sealed class ByteLevelNormalizer : Normalizer
{
    public override void Apply(NormalizedText text)
    {
        text.Begin();
        Span<byte> utf8 = stackalloc byte[4];
        int unitCount;
        for (int position = 0; position < text.Text.Length; position += unitCount)
        {
            int codePoint = CodePoints.At(text.Text, position, out unitCount);
            int length = new System.Text.Rune(codePoint).EncodeToUtf8(utf8);
            foreach (byte value in utf8[..length])
            {
                text.Emit(ByteLevelAlphabet.ToCharacter(value), position);
            }
        }

        text.Commit();
    }
}
