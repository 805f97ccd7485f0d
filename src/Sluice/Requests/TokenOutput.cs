namespace Sluice.Requests;

/// <summary>The logprob (natural logarithm) of a token and its rank among all (1 is the most likely).</summary>
public readonly record struct TokenLogprob(int TokenId, float Logprob, int Rank);

/// <summary>Logprobs at one position.</summary>
/// <param name="Chosen">The token that stands there.</param>
/// <param name="Top">The most likely tokens in falling order, as many as were asked for.</param>
public sealed record PositionLogprobs(TokenLogprob Chosen, IReadOnlyList<TokenLogprob> Top);

/// <summary>What the engine hands to the reader of a request after a step: new tokens of one choice, or its end.</summary>
public sealed record TokenOutput
{
    /// <summary>Which of the <see cref="SamplingParams.N"/> completions.</summary>
    public required int ChoiceIndex { get; init; }

    /// <summary>Newly generated ids; an ending token (end of sequence, stop id) is included.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>One entry for each of <see cref="TokenIds"/> when logprobs were asked for.</summary>
    public IReadOnlyList<PositionLogprobs>? Logprobs { get; init; }

    /// <summary>
    /// With the first output of a choice when prompt logprobs were asked for: an entry for each prompt token, the first of
    /// which is null.
    /// </summary>
    public IReadOnlyList<PositionLogprobs?>? PromptLogprobs => Edge?.PromptLogprobs;

    /// <summary>Prompt tokens that came from the prefix cache; with the first output of a choice.</summary>
    public int CachedTokenCount => Edge?.CachedTokenCount ?? 0;

    /// <summary>Set on the last output of the choice.</summary>
    public FinishReason? FinishReason => Edge?.FinishReason;

    /// <summary>The stop token that ended it; none for an end-of-sequence token.</summary>
    public int? StopTokenId => Edge?.StopTokenId;

    /// <summary>What went wrong, when <see cref="FinishReason"/> is <see cref="FinishReason.Error"/>.</summary>
    public string? Error => Edge?.Error;

    /// <summary>The values that are not set in most outputs; none when all have their defaults.</summary>
    internal OutputEdge? Edge { get; init; }
}
