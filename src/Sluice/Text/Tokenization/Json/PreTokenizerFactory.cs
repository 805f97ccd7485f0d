using System.Text.Json;
using Sluice.Text.Patterns;
using Sluice.Text.Tokenization.PreTokenizers;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Makes the pre-tokenizers that a tokenizer.json describes, nested sequences laid out flat.</summary>
internal static class PreTokenizerFactory
{
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public static List<PreTokenizer> Create(JsonElement? element)
    {
        List<PreTokenizer> stages = [];
        if (element is { } root)
        {
            Add(root, stages);
        }

        return stages;
    }

    public static PrependScheme ReadPrependScheme(JsonElement element, string where)
    {
        PrependScheme scheme = (element.OptionalString("prepend_scheme", where) ?? "always") switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            string other => throw new FormatException($"prepend_scheme \"{other}\" of {where} is not supported"),
        };
        return element.Boolean("add_prefix_space", true, where) ? scheme : PrependScheme.Never;
    }

    private static void Add(JsonElement element, List<PreTokenizer> stages)
    {
        string type = element.RequiredString("type", "a pre-tokenizer");
        string where = $"the pre-tokenizer {type}";
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement inner in element.Array("pretokenizers", where))
                {
                    Add(inner, stages);
                }

                break;
            case "ByteLevel":
                if (element.Boolean("add_prefix_space", true, where))
                {
                    stages.Add(new PrefixSpace());
                }

                if (element.Boolean("use_regex", true, where))
                {
                    stages.Add(new PatternSplit(TextPattern.Compile(Gpt2Pattern), SplitBehavior.Isolated, inverted: false));
                }

                stages.Add(new ByteLevelMapping());
                break;
            case "Split":
                stages.Add(CreateSplit(element, where));
                break;
            case "Metaspace":
                string mark = element.RequiredString("replacement", where);
                stages.Add(new MetaspaceRewriting(mark, ReadPrependScheme(element, where)));
                if (element.Boolean("split", true, where))
                {
                    stages.Add(new LiteralSplit(mark, SplitBehavior.MergedWithNext, inverted: false));
                }

                break;
            case "Whitespace":
                stages.Add(new PatternSplit(TextPattern.Compile(@"\w+|[^\w\s]+"), SplitBehavior.Removed, inverted: true));
                break;
            case "WhitespaceSplit":
                stages.Add(new CharacterSplit(CodePoints.IsWhiteSpace, SplitBehavior.Removed));
                break;
            case "BertPreTokenizer":
                stages.Add(new CharacterSplit(CodePoints.IsWhiteSpace, SplitBehavior.Removed));
                stages.Add(new CharacterSplit(CodePoints.IsPunctuation, SplitBehavior.Isolated));
                break;
            case "Punctuation":
                stages.Add(new CharacterSplit(
                    CodePoints.IsPunctuation, ReadBehavior(element.OptionalString("behavior", where) ?? "Isolated", where)));
                break;
            case "Digits":
                stages.Add(new CharacterSplit(
                    CodePoints.IsNumeric,
                    element.Boolean("individual_digits", false, where) ? SplitBehavior.Isolated : SplitBehavior.Contiguous));
                break;
            case "CharDelimiterSplit":
                string delimiter = element.RequiredString("delimiter", where);
                stages.Add(new LiteralSplit(delimiter, SplitBehavior.Removed, inverted: false));
                break;
            case "FixedLength":
                stages.Add(new FixedLengthSplit(Math.Max(1, element.Integer("length", 5, where))));
                break;
            default:
                throw new FormatException($"pre-tokenizer type \"{type}\" is not supported");
        }
    }

    private static SplitPreTokenizer CreateSplit(JsonElement element, string where)
    {
        SplitBehavior behavior = ReadBehavior(element.RequiredString("behavior", where), where);
        bool inverted = element.Boolean("invert", false, where);
        (string? literal, TextPattern? pattern) = NormalizerFactory.ReadPattern(element, where);
        return literal is not null
            ? new LiteralSplit(literal, behavior, inverted)
            : new PatternSplit(pattern!, behavior, inverted);
    }

    private static SplitBehavior ReadBehavior(string name, string where) => name switch
    {
        "Removed" => SplitBehavior.Removed,
        "Isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        _ => throw new FormatException($"behavior \"{name}\" of {where} is not supported"),
    };
}
