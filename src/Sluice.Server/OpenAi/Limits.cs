namespace Sluice.Server.OpenAi;

/// <summary>
/// Every field that the server understands, with its type, range and size: with <see cref="Requests.SamplingParams.Validate"/>, what
/// requests are checked against before they reach the scheduler.
/// </summary>
internal static class Limits
{
    /// <summary>Prompts of one completion request.</summary>
    public const int MaxPrompts = 1024;

    /// <summary>Choices of one request over all its prompts; each is a sequence of the scheduler.</summary>
    public const int MaxChoices = 16384;

    /// <summary>Messages of one chat.</summary>
    public const int MaxMessages = 16384;

    /// <summary>Content parts of one message.</summary>
    public const int MaxContentParts = 16384;

    // Sampling: types only, ranges and texts are those of SamplingParams.Validate, which runs right after the reading.
    public static readonly FieldLimit N = Whole("n");
    public static readonly FieldLimit BestOf = Whole("best_of");
    public static readonly FieldLimit MaxTokens = Whole("max_tokens");
    public static readonly FieldLimit MaxCompletionTokens = Whole("max_completion_tokens");
    public static readonly FieldLimit MinTokens = Whole("min_tokens");
    public static readonly FieldLimit Seed = Whole("seed", long.MinValue, long.MaxValue);
    public static readonly FieldLimit Temperature = Real("temperature");
    public static readonly FieldLimit TopP = Real("top_p");
    public static readonly FieldLimit TopK = Whole("top_k");
    public static readonly FieldLimit MinP = Real("min_p");
    public static readonly FieldLimit PresencePenalty = Real("presence_penalty");
    public static readonly FieldLimit FrequencyPenalty = Real("frequency_penalty");
    public static readonly FieldLimit RepetitionPenalty = Real("repetition_penalty");
    public static readonly FieldLimit LogitBias = new("logit_bias", FieldKind.Object) { MaxCount = 1024 };
    public static readonly FieldLimit AllowedTokenIds = new("allowed_token_ids", FieldKind.TokenIds);
    public static readonly FieldLimit BadWords = new("bad_words", FieldKind.Texts) { MaxCount = 128, MinLength = 1, MaxLength = 1024 };
    public static readonly FieldLimit Stop = new("stop", FieldKind.Texts);
    public static readonly FieldLimit StopTokenIds = new("stop_token_ids", FieldKind.TokenIds);
    public static readonly FieldLimit IncludeStopString = Flag("include_stop_str_in_output");
    public static readonly FieldLimit IgnoreEos = Flag("ignore_eos");

    // What comes back.
    public static readonly FieldLimit Stream = Flag("stream");
    public static readonly FieldLimit StreamOptions = new("stream_options", FieldKind.Object);
    public static readonly FieldLimit IncludeUsage = Flag("include_usage");
    public static readonly FieldLimit ContinuousUsageStats = Flag("continuous_usage_stats");
    public static readonly FieldLimit StreamInterval = Whole("stream_interval", 1, int.MaxValue);
    public static readonly FieldLimit Echo = Flag("echo");
    public static readonly FieldLimit ChatLogprobs = Flag("logprobs");
    public static readonly FieldLimit TopLogprobs = Whole("top_logprobs");
    public static readonly FieldLimit Logprobs = Whole("logprobs");
    public static readonly FieldLimit PromptLogprobs = Whole("prompt_logprobs");
    public static readonly FieldLimit SkipSpecialTokens = Flag("skip_special_tokens");
    public static readonly FieldLimit SpacesBetweenSpecialTokens = Flag("spaces_between_special_tokens");
    public static readonly FieldLimit ReturnTokensAsTokenIds = Flag("return_tokens_as_token_ids");
    public static readonly FieldLimit ReturnTokenIds = Flag("return_token_ids");
    public static readonly FieldLimit ReturnPromptText = Flag("return_prompt_text");
    public static readonly FieldLimit IncludeReasoning = Flag("include_reasoning");

    // The prompt.
    public static readonly FieldLimit Model = new("model", FieldKind.Text);
    public static readonly FieldLimit Messages = new("messages", FieldKind.List) { MaxCount = MaxMessages };
    public static readonly FieldLimit Tools = new("tools", FieldKind.List) { MaxCount = 1024 };
    public static readonly FieldLimit Documents = new("documents", FieldKind.List) { MaxCount = 1024 };
    public static readonly FieldLimit ParallelToolCalls = Flag("parallel_tool_calls");
    public static readonly FieldLimit ReasoningEffort = new("reasoning_effort", FieldKind.Text) { MaxLength = 64 };
    public static readonly FieldLimit AddGenerationPrompt = Flag("add_generation_prompt");
    public static readonly FieldLimit ContinueFinalMessage = Flag("continue_final_message");
    public static readonly FieldLimit AddSpecialTokens = Flag("add_special_tokens");
    public static readonly FieldLimit ChatTemplate = new("chat_template", FieldKind.Text) { MaxLength = 256 * 1024 };
    public static readonly FieldLimit ChatTemplateKwargs = new("chat_template_kwargs", FieldKind.Object) { MaxCount = 128 };
    public static readonly FieldLimit TruncatePromptTokens = Whole("truncate_prompt_tokens", 1, int.MaxValue) with { Special = -1 };
    public static readonly FieldLimit TruncationSide = new("truncation_side", FieldKind.Text) { MaxLength = 5 };

    // The scheduler.
    public static readonly FieldLimit Priority = Whole("priority");
    public static readonly FieldLimit CacheSalt = new("cache_salt", FieldKind.Text) { MinLength = 1, MaxLength = 256 };
    public static readonly FieldLimit RequestId = new("request_id", FieldKind.Text) { MinLength = 1, MaxLength = 128 };
    public static readonly FieldLimit User = new("user", FieldKind.Text) { MaxLength = 512 };

    // /tokenize and /detokenize.
    public static readonly FieldLimit ReturnTokenStrings = Flag("return_token_strs");
    public static readonly FieldLimit Tokens = new("tokens", FieldKind.TokenIds);

    private static FieldLimit Flag(string name) => new(name, FieldKind.Boolean);

    private static FieldLimit Whole(string name, double minimum = int.MinValue, double maximum = int.MaxValue) =>
        new(name, FieldKind.Integer) { Minimum = minimum, Maximum = maximum };

    private static FieldLimit Real(string name) => new(name, FieldKind.Number);
}
