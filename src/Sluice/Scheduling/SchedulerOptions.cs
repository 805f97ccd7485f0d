namespace Sluice.Scheduling;

/// <summary>Limits of a step and rules of the scheduler, all values resolved.</summary>
internal sealed record SchedulerOptions
{
    /// <summary>Token budget of a step.</summary>
    public required int MaxBatchedTokens { get; init; }

    /// <summary>Most sequences that run at once.</summary>
    public required int MaxSequences { get; init; }

    /// <summary>Tokens a block.</summary>
    public required int BlockSize { get; init; }

    /// <summary>Split prompts that exceed what is left of the budget.</summary>
    public bool ChunkedPrefill { get; init; } = true;

    /// <summary>Most tokens of one prompt a step; 0 for no limit of its own.</summary>
    public int LongPrefillThreshold { get; init; }
}
