using System.Buffers;
using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>The whole answer of <c>/v1/completions</c>.</summary>
internal sealed class CompletionAnswer(ServerState state, CompletionRequest request, string id, long created)
{
    private readonly TokenNames _names = new(state.Engine.Tokenizer, request.Output.TokensAsIds);

    public ReadOnlyMemory<byte> Write(ChoiceResult[] choices)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter json = new(buffer, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteString("id"u8, id);
        json.WriteString("object"u8, "text_completion"u8);
        json.WriteNumber("created"u8, created);
        json.WriteString("model"u8, state.ModelNames[0]);
        json.WriteStartArray("choices"u8);
        int completionTokens = 0;
        for (int index = 0; index < choices.Length; index++)
        {
            completionTokens += request.IsEchoOnly ? 0 : choices[index].TokenIds.Count;
            WriteChoice(json, index, choices[index]);
        }

        json.WriteEndArray();
        json.WriteNull("service_tier"u8);
        json.WriteString("system_fingerprint"u8, state.SystemFingerprint);
        json.WritePropertyName("usage"u8);
        new Usage(request.Prompts.Sum(static prompt => prompt.Length), completionTokens)
        {
            CachedTokens = state.Options.EnablePromptTokensDetails ? CachedTokens(choices) : null,
        }.WriteTo(json, writesNulls: true);
        json.WriteNull("kv_transfer_params"u8);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private int CachedTokens(ChoiceResult[] choices)
    {
        int cached = 0;
        for (int index = 0; index < choices.Length; index += request.Sampling.N)
        {
            cached += choices[index].CachedTokenCount;
        }

        return cached;
    }

    private void WriteChoice(Utf8JsonWriter json, int index, ChoiceResult choice)
    {
        int[] prompt = request.Prompts[index / request.Sampling.N];
        OutputOptions output = request.Output;
        string text = request.IsEchoOnly ? "" : choice.Text;
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        json.WriteString("text"u8, output.Echo ? state.DecodePrompt(prompt) + text : text);
        json.WritePropertyName("logprobs"u8);
        WriteLogprobs(json, choice, prompt);
        json.WriteString("finish_reason"u8, request.IsEchoOnly ? "length" : FinishNames.Of(choice.Last?.FinishReason));
        json.WritePropertyName("stop_reason"u8);
        FinishNames.WriteStopReason(json, request.IsEchoOnly ? null : choice.Last);
        json.WritePropertyName("token_ids"u8);
        JsonLists.WriteIds(json, !output.ReturnTokenIds ? null : request.IsEchoOnly ? [] : choice.TokenIds);
        json.WritePropertyName("prompt_logprobs"u8);
        LogprobsJson.WritePrompt(json, output.PromptLogprobs is null ? null : choice.PromptLogprobs, _names);
        json.WritePropertyName("prompt_token_ids"u8);
        JsonLists.WriteIds(json, output.ReturnTokenIds ? prompt : null);
        if (output.ReturnPromptText)
        {
            json.WriteString("prompt_text"u8, state.DecodePrompt(prompt));
        }

        json.WriteEndObject();
    }

    private void WriteLogprobs(Utf8JsonWriter json, ChoiceResult choice, int[] prompt)
    {
        if (request.Output.Logprobs is not int topCount)
        {
            json.WriteNullValue();
            return;
        }

        List<int> ids = [];
        List<PositionLogprobs?> positions = [];
        if (request.Output.Echo)
        {
            ids.AddRange(prompt);
            positions.AddRange(choice.PromptLogprobs ?? new PositionLogprobs?[prompt.Length]);
        }

        if (!request.IsEchoOnly)
        {
            ids.AddRange(choice.TokenIds);
            positions.AddRange(choice.Logprobs);
        }

        LogprobsJson.WriteCompletion(json, ids, positions, topCount, _names, textOffset: 0);
    }
}
