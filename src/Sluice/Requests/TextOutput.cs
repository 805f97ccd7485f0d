namespace Sluice.Requests;

/// <summary>Text and tokens of one choice that became certain, or its end.</summary>
public sealed record TextOutput
{
    /// <summary>Which of the <see cref="SamplingParams.N"/> completions.</summary>
    public required int ChoiceIndex { get; init; }

    /// <summary>
    /// What follows the text of the outputs before; safe to send, since nothing of it can still turn out to belong to a stop string
    /// or to half a character. Often empty when <see cref="TokenIds"/> is not.
    /// </summary>
    public string Text { get; init; } = "";

    /// <summary>Newly generated ids, an ending token included.</summary>
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

    /// <summary>The stop string that ended it.</summary>
    public string? StopString => Edge?.StopString;

    /// <summary>The stop token that ended it; none for an end-of-sequence token.</summary>
    public int? StopTokenId => Edge?.StopTokenId;

    /// <summary>What went wrong, when <see cref="FinishReason"/> is <see cref="FinishReason.Error"/>.</summary>
    public string? Error => Edge?.Error;

    /// <summary>The values that are not set in most outputs; none when all have their defaults.</summary>
    internal OutputEdge? Edge { get; init; }
}
