namespace Sluice.Requests;

/// <summary>A prompt as token ids, and what to do with it.</summary>
public sealed record GenerationRequest
{
    /// <summary>Name of the request in logs; unique among those in flight.</summary>
    public required string Id { get; init; }

    /// <summary>The prompt; at least one id, each in the vocabulary.</summary>
    public required IReadOnlyList<int> PromptTokenIds { get; init; }

    /// <summary>How tokens are chosen and when to stop.</summary>
    public SamplingParams Sampling { get; init; } = new();

    /// <summary>Lower runs first; used by the priority policy.</summary>
    public int Priority { get; init; }

    /// <summary>Requests share cached prefixes only with those of the same salt.</summary>
    public string? CacheSalt { get; init; }
}
