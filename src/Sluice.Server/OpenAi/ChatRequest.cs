using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>A body of <c>/v1/chat/completions</c>, checked, with its prompt.</summary>
internal sealed record ChatRequest
{
    public required int[] PromptTokenIds { get; init; }

    /// <summary>The rendered template.</summary>
    public required string PromptText { get; init; }

    public required SamplingParams Sampling { get; init; }

    public required OutputOptions Output { get; init; }

    public required RequestFields Request { get; init; }

    /// <summary>The model goes on with the last message.</summary>
    public required bool ContinuesFinalMessage { get; init; }

    /// <summary>False when the request turned the model's thinking off.</summary>
    public required bool EnableThinking { get; init; }

    /// <summary>Role of the answer.</summary>
    public required string Role { get; init; }

    /// <summary>Text that stands before the answer (<c>echo</c>); empty without.</summary>
    public required string EchoedText { get; init; }

    public static ChatRequest Read(Fields fields, ServerState state, HttpRequest http)
    {
        RequestFields request = RequestFields.Read(fields, state, http);
        UnsupportedFields.Refuse(fields);
        OutputOptions output = OutputOptions.Read(fields, state.Options, ReadLogprobs(fields));
        int? maxTokens = ReadMaxTokens(fields);
        SamplingParams sampling = SamplingFields.Read(fields, state, maxTokens, output.Logprobs, output.PromptLogprobs);
        PromptRules rules = new(fields, state, maxTokens ?? 0, addSpecialTokens: false);
        RenderedChat chat = state.Chats.Render(fields, ToolFields.Read(fields, state.Options));
        int[] ids = rules.Encode(chat.Prompt.Text, chat.Prompt.ContentSpans, "messages");
        (string role, string echoed) = ReadRole(fields, state.Options, output.Echo);
        return new ChatRequest
        {
            PromptTokenIds = ids,
            PromptText = chat.Prompt.Text,
            ContinuesFinalMessage = chat.ContinuesFinalMessage,
            EnableThinking = chat.EnableThinking,
            Sampling = maxTokens is null && state.Engine.Defaults.MaxNewTokens is int limit
                ? sampling with { MaxTokens = Math.Min(limit, state.Engine.MaxModelLen - ids.Length) }
                : sampling,
            Output = output,
            Request = request,
            Role = role,
            EchoedText = echoed,
        };
    }

    private static int? ReadLogprobs(Fields fields)
    {
        bool wantsLogprobs = fields.Boolean(Limits.ChatLogprobs, false);
        int topCount = fields.Int32(Limits.TopLogprobs) ?? 0;
        if (topCount < -1)
        {
            throw new RequestValidationException($"`top_logprobs` must be a positive value or -1, got {topCount}.", "top_logprobs");
        }

        return wantsLogprobs ? topCount
            : topCount == 0 ? null
            : throw new RequestValidationException("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs");
    }

    // Two names of one thing; where both are given, the smaller holds.
    private static int? ReadMaxTokens(Fields fields)
    {
        int? old = fields.Int32(Limits.MaxTokens);
        int? present = fields.Int32(Limits.MaxCompletionTokens);
        return old is null || present is null ? old ?? present : Math.Min(old.Value, present.Value);
    }

    private static (string Role, string Echoed) ReadRole(Fields fields, ServerOptions options, bool echo)
    {
        bool isOwnTurn = fields.Boolean(Limits.AddGenerationPrompt, true);
        JsonElement messages = fields.List(Limits.Messages)!.Value;
        Fields last = new(messages[messages.GetArrayLength() - 1], "messages");
        string lastRole = last.TryGet("role", out JsonElement role) ? last.Text(role, "role") : "";
        string answerRole = isOwnTurn ? options.ResponseRole : lastRole;
        return (answerRole, echo && lastRole == answerRole && last.TryGet("content", out JsonElement content) ? TextOf(content) : "");
    }

    private static string TextOf(JsonElement content)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString()!;
        }

        StringBuilder text = new();
        foreach (JsonElement part in content.EnumerateArray())
        {
            if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out JsonElement value))
            {
                text.Append(value.GetString());
            }
        }

        return text.ToString();
    }
}
