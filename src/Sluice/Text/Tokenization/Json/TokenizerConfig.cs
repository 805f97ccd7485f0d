using System.Text.Json;

namespace Sluice.Text.Tokenization.Json;

/// <summary>
/// What a tokenizer_config.json changes. The Llama family's tokenizer classes decide by <c>add_bos_token</c> and
/// <c>add_eos_token</c> what goes around a text, whatever tokenizer.json says: DeepSeek V3 gets its begin token only so.
/// </summary>
internal static class TokenizerConfig
{
    private const string Where = "the configuration";

    public static TokenizerParts Apply(TokenizerParts parts, byte[] json)
    {
        JsonElement config = ParseObject(json);
        string className = config.OptionalString("tokenizer_class", Where) ?? "";
        bool decides = className is "LlamaTokenizer" or "LlamaTokenizerFast" or "CodeLlamaTokenizer" or "CodeLlamaTokenizerFast"
            or "GemmaTokenizer" or "GemmaTokenizerFast";
        if (!decides || (config.Optional("add_bos_token") is null && config.Optional("add_eos_token") is null))
        {
            return parts;
        }

        int[] before = config.Boolean("add_bos_token", true, Where) ? [RequiredId(config, "bos_token", parts)] : [];
        int[] after = config.Boolean("add_eos_token", false, Where) ? [RequiredId(config, "eos_token", parts)] : [];
        return parts with { PostProcessor = new PostProcessor([[before, null, after]]) };
    }

    private static JsonElement ParseObject(byte[] json)
    {
        JsonElement config;
        try
        {
            config = JsonElement.Parse(json);
        }
        catch (JsonException exception)
        {
            throw new FormatException(
                $"not valid JSON (line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1})", exception);
        }

        return config.ValueKind == JsonValueKind.Object ? config : throw new FormatException("not a JSON object");
    }

    /// <summary>A token of the configuration: its text, or an object with its text.</summary>
    private static int RequiredId(JsonElement config, string name, TokenizerParts parts)
    {
        JsonElement token = config.Required(name, Where);
        string content = token.ValueKind == JsonValueKind.Object
            ? token.RequiredString("content", $"\"{name}\" of {Where}")
            : JsonFields.AsString(token, name, Where);
        foreach (AddedToken added in parts.AddedTokens)
        {
            if (added.Content == content)
            {
                return added.Id;
            }
        }

        return parts.Vocabulary.TryGetId(content, out int id)
            ? id
            : throw new FormatException($"\"{name}\" is \"{content}\", which is not in the vocabulary");
    }
}
