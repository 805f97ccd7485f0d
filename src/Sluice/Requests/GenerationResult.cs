namespace Sluice.Requests;

/// <summary>All that a request gave, once it is over.</summary>
public sealed record GenerationResult
{
    /// <summary>The prompt as token ids.</summary>
    public required IReadOnlyList<int> PromptTokenIds { get; init; }

    /// <summary>The completions, by choice index.</summary>
    public required IReadOnlyList<GeneratedText> Choices { get; init; }

    /// <summary>An entry for each prompt token when prompt logprobs were asked for, the first of which is null.</summary>
    public IReadOnlyList<PositionLogprobs?>? PromptLogprobs { get; init; }

    /// <summary>Prompt tokens that came from the prefix cache, for the first choice.</summary>
    public int CachedTokenCount { get; init; }

    /// <summary>The text of the first choice.</summary>
    public string Text => Choices[0].Text;
}

/// <summary>One completion.</summary>
public sealed record GeneratedText
{
    /// <summary>The text; empty when the model has no tokenizer.</summary>
    public required string Text { get; init; }

    /// <summary>The generated ids, an ending token included.</summary>
    public required IReadOnlyList<int> TokenIds { get; init; }

    /// <summary>One entry for each of <see cref="TokenIds"/> when logprobs were asked for.</summary>
    public IReadOnlyList<PositionLogprobs>? Logprobs { get; init; }

    /// <summary>Why it ended.</summary>
    public required FinishReason FinishReason { get; init; }

    /// <summary>The stop string that ended it.</summary>
    public string? StopString { get; init; }

    /// <summary>The stop token that ended it; none for an end-of-sequence token.</summary>
    public int? StopTokenId { get; init; }

    /// <summary>What went wrong, when <see cref="FinishReason"/> is <see cref="FinishReason.Error"/>.</summary>
    public string? Error { get; init; }
}
