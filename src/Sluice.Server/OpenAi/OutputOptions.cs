using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>What the client wants to get back, and how.</summary>
internal sealed record OutputOptions
{
    /// <summary>As server-sent events.</summary>
    public bool IsStream { get; init; }

    /// <summary>A last chunk with the usage.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>The usage so far on every chunk.</summary>
    public bool ContinuousUsage { get; init; }

    /// <summary>Tokens a chunk, after the first.</summary>
    public int StreamInterval { get; init; } = 1;

    /// <summary>The prompt (or the last message, if it is the model's) before the answer.</summary>
    public bool Echo { get; init; }

    /// <summary>Ids of prompt and answer beside the text.</summary>
    public bool ReturnTokenIds { get; init; }

    /// <summary>The prompt's text beside the answer.</summary>
    public bool ReturnPromptText { get; init; }

    /// <summary>Tokens in logprobs as <c>token_id:123</c>.</summary>
    public bool TokensAsIds { get; init; }

    /// <summary>Leave special tokens out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>Thinking in a field of its own.</summary>
    public bool IncludeReasoning { get; init; } = true;

    /// <summary>Logprobs a token beside the chosen one's; -1 for all, none for no logprobs.</summary>
    public int? Logprobs { get; init; }

    /// <summary>Logprobs of the prompt's tokens.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>Reads what chats and completions share.</summary>
    /// <param name="fields">The body.</param>
    /// <param name="options">The server's own wishes.</param>
    /// <param name="logprobs">Logprobs a token; the two endpoints ask for them differently.</param>
    public static OutputOptions Read(Fields fields, ServerOptions options, int? logprobs)
    {
        bool isStream = fields.Boolean(Limits.Stream, false);
        (bool includeUsage, bool continuousUsage) = ReadStreamOptions(fields, isStream);
        int? promptLogprobs = fields.Int32(Limits.PromptLogprobs);
        if (isStream && promptLogprobs is > 0 or -1)
        {
            throw new RequestValidationException("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs");
        }

        return new OutputOptions
        {
            IsStream = isStream,
            IncludeUsage = includeUsage || (isStream && options.EnableForceIncludeUsage),
            ContinuousUsage = continuousUsage || (isStream && options.EnableForceIncludeUsage),
            StreamInterval = fields.Int32(Limits.StreamInterval) ?? options.StreamInterval,
            Echo = fields.Boolean(Limits.Echo, false),
            ReturnTokenIds = fields.Boolean(Limits.ReturnTokenIds, false),
            ReturnPromptText = fields.Boolean(Limits.ReturnPromptText, false),
            TokensAsIds = fields.Boolean(Limits.ReturnTokensAsTokenIds, options.ReturnTokensAsTokenIds),
            SkipSpecialTokens = fields.Boolean(Limits.SkipSpecialTokens, true),
            IncludeReasoning = fields.Boolean(Limits.IncludeReasoning, true),
            Logprobs = logprobs,
            PromptLogprobs = promptLogprobs,
        };
    }

    private static (bool IncludeUsage, bool ContinuousUsage) ReadStreamOptions(Fields fields, bool isStream)
    {
        if (fields.Object(Limits.StreamOptions) is not JsonElement value)
        {
            return (false, false);
        }

        if (!isStream)
        {
            throw new RequestValidationException("Stream options can only be defined when `stream=True`.", "stream_options");
        }

        Fields options = new(value, "stream_options");
        bool includeUsage = options.Boolean(Limits.IncludeUsage, false);
        return (includeUsage, includeUsage && options.Boolean(Limits.ContinuousUsageStats, false));
    }
}
