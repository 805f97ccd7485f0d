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
    public IReadOnlyList<PositionLogprobs?>? PromptLogprobs
    {
        get => Edge?.PromptLogprobs;
        init
        {
            if (value is not null || Edge is not null)
            {
                Edge = (Edge ?? OutputEdge.None) with { PromptLogprobs = value };
            }
        }
    }

    /// <summary>Prompt tokens that came from the prefix cache; with the first output of a choice.</summary>
    public int CachedTokenCount
    {
        get => Edge?.CachedTokenCount ?? 0;
        init
        {
            if (value != 0 || Edge is not null)
            {
                Edge = (Edge ?? OutputEdge.None) with { CachedTokenCount = value };
            }
        }
    }

    /// <summary>Set on the last output of the choice.</summary>
    public FinishReason? FinishReason
    {
        get => Edge?.FinishReason;
        init
        {
            if (value is not null || Edge is not null)
            {
                Edge = (Edge ?? OutputEdge.None) with { FinishReason = value };
            }
        }
    }

    /// <summary>The stop token that ended it; none for an end-of-sequence token.</summary>
    public int? StopTokenId
    {
        get => Edge?.StopTokenId;
        init
        {
            if (value is not null || Edge is not null)
            {
                Edge = (Edge ?? OutputEdge.None) with { StopTokenId = value };
            }
        }
    }

    /// <summary>What went wrong, when <see cref="FinishReason"/> is <see cref="FinishReason.Error"/>.</summary>
    public string? Error
    {
        get => Edge?.Error;
        init
        {
            if (value is not null || Edge is not null)
            {
                Edge = (Edge ?? OutputEdge.None) with { Error = value };
            }
        }
    }

    /// <summary>The values that are not set in most outputs; none when all have their defaults.</summary>
    internal OutputEdge? Edge { get; init; }
}
