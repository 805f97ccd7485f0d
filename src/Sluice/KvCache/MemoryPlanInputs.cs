using Sluice.Models;

namespace Sluice.KvCache;

/// <summary>A GPU, as the memory plan sees it.</summary>
/// <param name="TotalBytes">All of its memory.</param>
/// <param name="FreeBytes">What no process uses, this one's context being there already.</param>
/// <param name="GraphCount">CUDA graphs that will be captured.</param>
internal sealed record GpuMemory(long TotalBytes, long FreeBytes, int GraphCount);

/// <summary>What the memory of a device is divided by.</summary>
internal sealed record MemoryPlanInputs
{
    /// <summary>Weights, activations and cache of the model.</summary>
    public required ModelMemory Model { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Longest context that the model allows.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Free memory of the device before the weights are loaded.</summary>
    public required long AvailableBytes { get; init; }

    /// <summary>Share that the engine may take: of <see cref="AvailableBytes"/>, or of all memory of a GPU.</summary>
    public required double Utilization { get; init; }

    /// <summary>The device when it is a GPU.</summary>
    public GpuMemory? Gpu { get; init; }

    /// <summary>Most bytes for the KV cache unless the user says otherwise; none for all that is left.</summary>
    public long? DefaultKvBytes { get; init; }

    /// <summary>Bytes for the KV cache that the user asked for.</summary>
    public long? KvCacheMemoryBytes { get; init; }

    public int? BlockCountOverride { get; init; }

    public required int BlockSize { get; init; }

    public required int MaxSequences { get; init; }

    /// <summary>Most tokens of a step.</summary>
    public int MaxBatchedTokens { get; init; }

    /// <summary>The longest context that the user asked for.</summary>
    public int? MaxModelLen { get; init; }

    /// <summary>Type of the cache's elements takes more than a byte, and the device could keep them in one.</summary>
    public bool CouldUseFp8Cache { get; init; }

    /// <summary>Host memory for blocks of preempted sequences.</summary>
    public long SwapSpaceBytes { get; init; }
}
