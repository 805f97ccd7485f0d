using System.Text.Json;

namespace Sluice.Server.OpenAi;

/// <summary>Tokens of a request.</summary>
/// <param name="PromptTokens">Tokens of all prompts, each counted once.</param>
/// <param name="CompletionTokens">Tokens of all choices.</param>
internal readonly record struct Usage(int PromptTokens, int CompletionTokens)
{
    /// <summary>Prompt tokens that came from the cache, where the server tells.</summary>
    public int? CachedTokens { get; init; }

    /// <summary>Completion tokens that were thinking, where a parser tells.</summary>
    public int? ReasoningTokens { get; init; }

    /// <param name="json">Where to.</param>
    /// <param name="writesNulls">Whole answers carry nulls, chunks leave them out.</param>
    public void WriteTo(Utf8JsonWriter json, bool writesNulls)
    {
        json.WriteStartObject();
        json.WriteNumber("prompt_tokens"u8, PromptTokens);
        json.WriteNumber("total_tokens"u8, PromptTokens + CompletionTokens);
        json.WriteNumber("completion_tokens"u8, CompletionTokens);
        WriteDetail(json, "prompt_tokens_details"u8, "cached_tokens"u8, CachedTokens, writesNulls);
        WriteDetail(json, "completion_tokens_details"u8, "reasoning_tokens"u8, ReasoningTokens, writesNulls);
        json.WriteEndObject();
    }

    private static void WriteDetail(
        Utf8JsonWriter json, ReadOnlySpan<byte> name, ReadOnlySpan<byte> detail, int? value, bool writesNulls)
    {
        if (value is int count)
        {
            json.WriteStartObject(name);
            json.WriteNumber(detail, count);
            json.WriteEndObject();
        }
        else if (writesNulls)
        {
            json.WriteNull(name);
        }
    }
}
