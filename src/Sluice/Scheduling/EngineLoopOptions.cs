namespace Sluice.Scheduling;

/// <summary>What the loop itself needs to know, all values resolved.</summary>
internal sealed record EngineLoopOptions
{
    /// <summary>Limits of a step.</summary>
    public required SchedulerOptions Scheduler { get; init; }

    /// <summary>Ids that end a sequence unless it ignores them.</summary>
    public required IReadOnlyList<int> EosTokenIds { get; init; }

    /// <summary>Schedule the next step while one runs.</summary>
    public bool AsyncScheduling { get; init; } = true;

    /// <summary>Where the seeds of requests that bring none come from.</summary>
    public long Seed { get; init; }

    /// <summary>A choice is aborted when its reader leaves a full buffer lying for so long.</summary>
    public TimeSpan ReaderTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Check all books after each step: O(blocks). On in Debug builds and in tests.</summary>
    public bool CheckEveryStep { get; init; }
#if DEBUG
        = true;
#endif
}
