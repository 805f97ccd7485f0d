namespace Sluice.Requests;

/// <summary>
/// What only the first and the last output of a choice carry. The many outputs between have none, which keeps them small: they are what decoding
/// allocates.
/// </summary>
internal sealed record OutputEdge
{
    public IReadOnlyList<PositionLogprobs?>? PromptLogprobs { get; init; }

    public int CachedTokenCount { get; init; }

    public FinishReason? FinishReason { get; init; }

    public string? StopString { get; init; }

    public int? StopTokenId { get; init; }

    public string? Error { get; init; }
}
