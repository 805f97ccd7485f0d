using System.Globalization;
using System.Text.Json;
using Sluice.Text.Patterns;
using Sluice.Text.Tokenization.Normalizers;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Makes the normalizers that a tokenizer.json describes.</summary>
internal static class NormalizerFactory
{
    private const uint NonSpacingMarks = 1u << (int)UnicodeCategory.NonSpacingMark;

    public static Normalizer Create(JsonElement element)
    {
        string type = element.RequiredString("type", "a normalizer");
        string where = $"the normalizer {type}";
        return type switch
        {
            "Sequence" => new NormalizerSequence([.. element.Array("normalizers", where).Select(Create)]),
            "NFC" => new UnicodeNormalizer(compatibility: false, composes: true),
            "NFD" => new UnicodeNormalizer(compatibility: false, composes: false),
            "NFKC" => new UnicodeNormalizer(compatibility: true, composes: true),
            "NFKD" => new UnicodeNormalizer(compatibility: true, composes: false),
            "Lowercase" => new LowercaseNormalizer(),
            "Strip" => new StripNormalizer(
                element.Boolean("strip_left", true, where), element.Boolean("strip_right", true, where)),
            "StripAccents" => new StripAccentsNormalizer(CodePoints.Marks),
            "Prepend" => new PrependNormalizer(element.RequiredString("prepend", where)),
            "Replace" => CreateReplace(element, where),
            "Nmt" => new NmtNormalizer(),
            "Precompiled" => new PrecompiledNormalizer(DecodeBase64(element.RequiredString("precompiled_charsmap", where))),
            "ByteLevel" => new ByteLevelNormalizer(),
            "BertNormalizer" => CreateBert(element, where),
            _ => throw new FormatException($"normalizer type \"{type}\" is not supported"),
        };
    }

    /// <summary>A pattern field: a fixed text, or a compiled regular expression.</summary>
    public static (string? Literal, TextPattern? Pattern) ReadPattern(JsonElement element, string where)
    {
        JsonElement pattern = element.Required("pattern", where);
        if (pattern.ValueKind == JsonValueKind.String)
        {
            return (JsonFields.AsString(pattern, "pattern", where), null);
        }

        if (pattern.OptionalString("String", where) is { } literal)
        {
            return (literal, null);
        }

        string expression = pattern.RequiredString("Regex", $"the pattern of {where}");
        try
        {
            return (null, TextPattern.Compile(expression));
        }
        catch (PatternException exception)
        {
            throw new FormatException($"the regular expression {expression} of {where} cannot be used: {exception.Message}");
        }
    }

    private static Normalizer CreateReplace(JsonElement element, string where)
    {
        string content = element.RequiredString("content", where);
        (string? literal, TextPattern? pattern) = ReadPattern(element, where);
        return literal is not null
            ? new ReplaceLiteralNormalizer(literal, content)
            : new ReplacePatternNormalizer(pattern!, content);
    }

    private static NormalizerSequence CreateBert(JsonElement element, string where)
    {
        bool lowercase = element.Boolean("lowercase", true, where);
        List<Normalizer> steps = [];
        if (element.Boolean("clean_text", true, where))
        {
            steps.Add(new CleanTextNormalizer());
        }

        if (element.Boolean("handle_chinese_chars", true, where))
        {
            steps.Add(new SpacedIdeographsNormalizer());
        }

        if (element.Boolean("strip_accents", lowercase, where))
        {
            steps.Add(new UnicodeNormalizer(compatibility: false, composes: false));
            steps.Add(new StripAccentsNormalizer(NonSpacingMarks));
        }

        if (lowercase)
        {
            steps.Add(new LowercaseNormalizer());
        }

        return new NormalizerSequence(steps);
    }

    private static byte[] DecodeBase64(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out int length)
            ? bytes[..length]
            : throw new FormatException("precompiled_charsmap is not base64");
    }
}
