namespace Sluice;

/// <summary>What the engine is doing at a moment, and what it has done since it was loaded.</summary>
public sealed record EngineStats
{
    /// <summary>Sequences that hold KV blocks and take part in steps.</summary>
    public int RunningCount { get; init; }

    /// <summary>Sequences that wait for their turn.</summary>
    public int WaitingCount { get; init; }

    /// <summary>Preempted sequences whose KV blocks lie in host memory.</summary>
    public int SwappedCount { get; init; }

    /// <summary>Requests that were accepted and have not ended.</summary>
    public int ActiveRequestCount { get; init; }

    /// <summary>Blocks of the KV cache.</summary>
    public int KvBlocksTotal { get; init; }

    /// <summary>Blocks that running sequences hold; cached blocks without an owner count as free.</summary>
    public int KvBlocksUsed { get; init; }

    /// <summary>Share of the blocks in use, 0 to 1.</summary>
    public double KvUsage => KvBlocksTotal == 0 ? 0 : (double)KvBlocksUsed / KvBlocksTotal;

    /// <summary>Blocks of the swap space; 0 until its memory is there.</summary>
    public int SwapBlocksTotal { get; init; }

    /// <summary>Blocks of the swap space that hold something.</summary>
    public int SwapBlocksUsed { get; init; }

    /// <summary>Share of the swap space in use, 0 to 1.</summary>
    public double SwapUsage => SwapBlocksTotal == 0 ? 0 : (double)SwapBlocksUsed / SwapBlocksTotal;

    /// <summary>Prompt tokens for which the prefix cache was asked.</summary>
    public long PrefixQueries { get; init; }

    /// <summary>Prompt tokens that it held.</summary>
    public long PrefixHits { get; init; }

    /// <summary>Times that a running sequence was put back to waiting.</summary>
    public long Preemptions { get; init; }

    /// <summary>Times among them that its KV blocks moved to host memory; the others were computed again.</summary>
    public long SwapOuts { get; init; }

    /// <summary>Prompt tokens of sequences whose prompt is done, cached ones included.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Prompt tokens among them that came from the prefix cache.</summary>
    public long CachedPromptTokens { get; init; }

    /// <summary>Generated tokens.</summary>
    public long GenerationTokens { get; init; }

    /// <summary>Steps done.</summary>
    public long StepCount { get; init; }

    /// <summary>Seconds with a step on the device.</summary>
    public double StepSeconds { get; init; }

    /// <summary>Seconds without one though sequences were ready to go on: what the host costs, as the host sees it.</summary>
    public double StepGapSeconds { get; init; }
}
