using System.Text.Json;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Reads post-processors. Only what they do to the ids of a single text matters here.</summary>
internal static class PostProcessorFactory
{
    public static PostProcessor Create(JsonElement? element)
    {
        List<IReadOnlyList<int[]?>> templates = [];
        if (element is { } root)
        {
            Add(root, templates);
        }

        return new PostProcessor(templates);
    }

    private static void Add(JsonElement element, List<IReadOnlyList<int[]?>> templates)
    {
        string type = element.RequiredString("type", "a post-processor");
        string where = $"the post-processor {type}";
        switch (type)
        {
            case "Sequence":
                foreach (JsonElement inner in element.Array("processors", where))
                {
                    Add(inner, templates);
                }

                break;
            case "ByteLevel":
                // It trims offsets and leaves the ids as they are.
                break;
            case "TemplateProcessing":
                templates.Add([.. element.Array("single", where).Select(part => ReadPart(part, element, where))]);
                break;
            case "BertProcessing" or "RobertaProcessing":
                templates.Add([[ReadTokenId(element, "cls", where)], null, [ReadTokenId(element, "sep", where)]]);
                break;
            default:
                throw new FormatException($"post-processor type \"{type}\" is not supported");
        }
    }

    private static int[]? ReadPart(JsonElement part, JsonElement template, string where)
    {
        if (part.Optional("Sequence") is { } sequence)
        {
            return sequence.RequiredString("id", where) == "A"
                ? null
                : throw new FormatException($"\"single\" of {where} names a second text");
        }

        string name = part.Required("SpecialToken", $"a part of {where}").RequiredString("id", where);
        JsonElement token = template.Required("special_tokens", where).Required(name, $"\"special_tokens\" of {where}");
        return [.. token.Array("ids", where).Select(id => ReadId(id, where))];
    }

    private static int ReadTokenId(JsonElement element, string name, string where)
    {
        JsonElement pair = element.Required(name, where);
        return pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2
            ? ReadId(pair[1], where)
            : throw new FormatException($"\"{name}\" of {where} must be a token and its id");
    }

    private static int ReadId(JsonElement id, string where) =>
        id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int value) && value >= 0
            ? value
            : throw new FormatException($"a token id of {where} is not a whole number from 0 on");
}
