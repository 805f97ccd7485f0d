using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>
/// Fields that vLLM knows and that would change the answer, but that cannot be served yet: they are refused, for an answer that
/// silently lacks what was asked for is worse than none. Values that ask for nothing pass.
/// </summary>
internal static class UnsupportedFields
{
    private static readonly string[] Names =
    [
        "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "guided_decoding_backend",
        "guided_whitespace_pattern", "prompt_embeds", "logprob_token_ids", "return_token_offsets", "return_assistant_tokens_mask",
        "thinking_token_budget", "repetition_detection", "kv_transfer_params", "ec_transfer_params", "vllm_xargs", "functions",
        "modalities", "audio", "use_beam_search",
    ];

    /// <exception cref="RequestValidationException">One of the fields asks for something.</exception>
    public static void Refuse(Fields fields)
    {
        foreach (string name in Names)
        {
            if (fields.TryGet(name, out JsonElement value) && !AsksForNothing(name, value))
            {
                throw new RequestValidationException($"{name} is not supported yet", name);
            }
        }

        RefuseResponseFormat(fields);
    }

    private static bool AsksForNothing(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Number when name == "thinking_token_budget" => value.TryGetInt32(out int budget) && budget == -1,
        JsonValueKind.Array when name == "modalities" => value.GetArrayLength() == 1 && value[0].ValueEquals("text"),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => value.GetPropertyCount() == 0,
        _ => false,
    };

    private static void RefuseResponseFormat(Fields fields)
    {
        if (!fields.TryGet("response_format", out JsonElement format))
        {
            return;
        }

        if (format.ValueKind != JsonValueKind.Object)
        {
            throw fields.WrongType("response_format", "an object", format);
        }

        Fields inner = new(format, "response_format");
        if (!inner.TryGet("type", out JsonElement type))
        {
            throw inner.Wrong("type", "is required");
        }

        string name = inner.Text(type, "type");
        if (name is "json_object" or "json_schema" or "structural_tag")
        {
            throw new RequestValidationException($"response_format of type {name} is not supported yet", "response_format");
        }

        if (name != "text")
        {
            throw inner.Wrong("type", $"must be one of text, json_object, json_schema, structural_tag, got {Quote.Text(name)}");
        }
    }
}
