using System.Buffers;
using System.Text.Json;

namespace Sluice.Server.OpenAi;

/// <summary>The whole answer of <c>/v1/chat/completions</c>.</summary>
internal sealed class ChatAnswer(ServerState state, ChatRequest request, string id, long created)
{
    private readonly TokenNames _names = new(state.Engine.Tokenizer, request.Output.TokensAsIds);

    public ReadOnlyMemory<byte> Write(ChoiceResult[] choices)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter json = new(buffer, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteString("id"u8, id);
        json.WriteString("object"u8, "chat.completion"u8);
        json.WriteNumber("created"u8, created);
        json.WriteString("model"u8, state.ModelNames[0]);
        json.WriteStartArray("choices"u8);
        int completionTokens = 0;
        int? reasoningTokens = null;
        for (int index = 0; index < choices.Length; index++)
        {
            completionTokens += choices[index].TokenIds.Count;
            reasoningTokens = choices[index].ReasoningTokenCount is int count ? (reasoningTokens ?? 0) + count : null;
            WriteChoice(json, index, choices[index], choices[index].Reasoning, choices[index].Text);
        }

        json.WriteEndArray();
        json.WriteNull("service_tier"u8);
        json.WriteString("system_fingerprint"u8, state.SystemFingerprint);
        json.WritePropertyName("usage"u8);
        new Usage(request.PromptTokenIds.Length, completionTokens)
        {
            CachedTokens = state.Options.EnablePromptTokensDetails ? choices[0].CachedTokenCount : null,
            ReasoningTokens = reasoningTokens,
        }.WriteTo(json, writesNulls: true);
        json.WritePropertyName("prompt_logprobs"u8);
        LogprobsJson.WritePrompt(json, choices[0].PromptLogprobs, _names);
        json.WritePropertyName("prompt_token_ids"u8);
        JsonLists.WriteIds(json, request.Output.ReturnTokenIds ? request.PromptTokenIds : null);
        json.WriteString("prompt_text"u8, request.Output.ReturnPromptText ? request.PromptText : null);
        json.WriteNull("kv_transfer_params"u8);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private void WriteChoice(Utf8JsonWriter json, int index, ChoiceResult choice, string reasoning, string content)
    {
        string? shown = request.Output.IncludeReasoning && reasoning.Length > 0 ? reasoning : null;
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, request.Role);
        json.WriteString("content"u8, content.Length == 0 && reasoning.Length > 0 ? null : request.EchoedText + content);
        json.WriteNull("refusal"u8);
        json.WriteNull("annotations"u8);
        json.WriteNull("audio"u8);
        json.WriteNull("function_call"u8);
        json.WriteStartArray("tool_calls"u8);
        json.WriteEndArray();

        // Clients of this year read the first name, those of last year the second.
        json.WriteString("reasoning"u8, shown);
        json.WriteString("reasoning_content"u8, shown);
        json.WriteEndObject();
        json.WritePropertyName("logprobs"u8);
        if (request.Output.Logprobs is int topCount)
        {
            LogprobsJson.WriteChat(json, choice.Logprobs, topCount, _names);
        }
        else
        {
            json.WriteNullValue();
        }

        json.WriteString("finish_reason"u8, FinishNames.Of(choice.Last?.FinishReason));
        json.WritePropertyName("stop_reason"u8);
        FinishNames.WriteStopReason(json, choice.Last);
        json.WritePropertyName("token_ids"u8);
        JsonLists.WriteIds(json, request.Output.ReturnTokenIds ? choice.TokenIds : null);
        json.WriteEndObject();
    }
}
