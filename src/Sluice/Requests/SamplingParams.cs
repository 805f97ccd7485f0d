namespace Sluice.Requests;

/// <summary>
/// How tokens of a request are chosen and when it ends. Names, defaults and ranges are vLLM's.
/// </summary>
public sealed record SamplingParams
{
    /// <summary>Completions for the prompt.</summary>
    public int N { get; init; } = 1;

    /// <summary>Below 1e-5: greedy.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Nucleus mass, in (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Most likely tokens kept; 0 or -1 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Least probability relative to the most likely token's, in [0, 1].</summary>
    public float MinP { get; init; }

    /// <summary>Subtracted once from the logit of a token that was generated before.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit for each time it was generated before.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens in the prompt or the output; 1 for none.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Makes the choice repeatable; none draws one from the engine's own seed.</summary>
    public long? Seed { get; init; }

    /// <summary>Texts that end the completion; checked where text is made, not in the engine loop.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Token ids that end the completion; the id itself is not part of the text.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Keep the matched stop string in the text.</summary>
    public bool IncludeStopString { get; init; }

    /// <summary>Go on after an end-of-sequence token.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Tokens before which no end-of-sequence or stop token is chosen.</summary>
    public int MinTokens { get; init; }

    /// <summary>Most tokens to generate; none for the rest of the context.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Added to the logits of token ids.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Token sequences that must not be completed.</summary>
    public IReadOnlyList<int[]> BadWords { get; init; } = [];

    /// <summary>The only token ids that may be chosen; none for all.</summary>
    public IReadOnlyList<int>? AllowedTokenIds { get; init; }

    /// <summary>Logprobs for each generated token: none, 0 for the chosen token alone, k for the k best too, -1 for all.</summary>
    public int? Logprobs { get; init; }

    /// <summary>The same for the tokens of the prompt.</summary>
    public int? PromptLogprobs { get; init; }

    /// <summary>True when the most likely token is always chosen.</summary>
    public bool IsGreedy => Temperature < SamplingRules.GreedyTemperature;

    /// <summary>Checks every field against its range, each list against its size, and token ids against the vocabulary.</summary>
    /// <param name="vocabularySize">Token ids lie below it.</param>
    /// <param name="maxModelLen">Longest prompt and completion together, in tokens.</param>
    /// <param name="maxLogprobs">Most logprobs a token; -1 for the whole vocabulary.</param>
    /// <exception cref="RequestValidationException">Names the first field that is wrong.</exception>
    public void Validate(int vocabularySize, int maxModelLen, int maxLogprobs) =>
        SamplingRules.Check(this, vocabularySize, maxModelLen, maxLogprobs);
}
