using Sluice.Compute;
using Sluice.Requests;

namespace Sluice;

/// <summary>Where the engine runs.</summary>
public enum DeviceKind
{
    /// <summary>The best that this machine has.</summary>
    Auto,

    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>An NVIDIA GPU: the first that CUDA_VISIBLE_DEVICES leaves visible.</summary>
    Cuda,
}

/// <summary>In which order waiting requests are served.</summary>
public enum SchedulingPolicy
{
    /// <summary>First come, first served.</summary>
    Fcfs,

    /// <summary>Lower <see cref="GenerationRequest.Priority"/> first, then first come.</summary>
    Priority,
}

/// <summary>What becomes of what a sequence has computed when it must give its KV blocks to another.</summary>
public enum PreemptionMode
{
    /// <summary>The cheaper of the two, as measured at the start.</summary>
    Cheaper,

    /// <summary>It moves to host memory and back, as long as <see cref="EngineOptions.SwapSpaceGiB"/> has room.</summary>
    Swap,

    /// <summary>It is computed again.</summary>
    Recompute,
}

/// <summary>Where weights come from.</summary>
public enum LoadFormat
{
    /// <summary>The model folder's safetensors files.</summary>
    Auto,

    /// <summary>Random weights in the shapes of the configuration, for benchmarks without a download.</summary>
    Dummy,
}

/// <summary>Everything an engine is started with; names are vLLM's. Values left out are derived from the model and the machine.</summary>
public sealed record EngineOptions
{
    /// <summary>Folder with config.json, safetensors and tokenizer files.</summary>
    public required string Model { get; init; }

    /// <summary>Folder or file of the tokenizer when it is not in the model folder.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Serve token ids only.</summary>
    public bool SkipTokenizerInit { get; init; }

    /// <summary>A file with a chat template, or the template itself.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>Device.</summary>
    public DeviceKind Device { get; init; }

    /// <summary>Type in which weights are kept; none for the stored one. Quantized weights stay as they are.</summary>
    public DType? DType { get; init; }

    /// <summary>
    /// How weights are quantized. Left out it is as the checkpoint says. <c>fp8</c> (or <c>fp8_per_channel</c>) makes 8-bit floats of the
    /// weights of linear layers while they are loaded, with a scale for each output feature; the output projection, embeddings, norms and
    /// routers keep their type. The method of a quantized checkpoint may be named, too.
    /// </summary>
    public string? Quantization { get; init; }

    /// <summary>Source of the weights.</summary>
    public LoadFormat LoadFormat { get; init; }

    /// <summary>Off for a walk through a model's start that computes nothing (<c>sluice warm</c>).</summary>
    internal bool LoadsWeights { get; init; } = true;

    /// <summary>JSON object merged over config.json.</summary>
    public string? HfOverrides { get; init; }

    /// <summary>Longest prompt and completion together, in tokens; none for the model's own, or the longest that the KV memory holds.</summary>
    public int? MaxModelLen { get; init; }

    /// <summary>Tokens a step.</summary>
    public int? MaxNumBatchedTokens { get; init; }

    /// <summary>Sequences a step.</summary>
    public int? MaxNumSeqs { get; init; }

    /// <summary>Tokens a block of the KV cache.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Bytes for the KV cache; wins over <see cref="GpuMemoryUtilization"/>.</summary>
    public long? KvCacheMemoryBytes { get; init; }

    /// <summary>Number of KV blocks, whatever memory allows; for tests.</summary>
    public int? NumGpuBlocksOverride { get; init; }

    /// <summary>Element type of the KV cache; none for the backend's own choice.</summary>
    public DType? KvCacheDType { get; init; }

    /// <summary>Share of the memory that the engine may take: of all memory of a GPU, of the free memory of a CPU's machine.</summary>
    public double GpuMemoryUtilization { get; init; } = 0.92;

    /// <summary>
    /// GiB of host memory that KV blocks of preempted sequences may move to; left out it is 4 on a GPU and 0 on a CPU, where
    /// preempted sequences are computed again.
    /// </summary>
    public double? SwapSpaceGiB { get; init; }

    /// <summary>Whether preempted sequences are swapped or computed again.</summary>
    public PreemptionMode PreemptionMode { get; init; }

    /// <summary>No CUDA graphs: every operation of a step is launched by itself.</summary>
    public bool EnforceEager { get; init; }

    /// <summary>Numbers of decoding sequences that get a CUDA graph; none for the standard sizes.</summary>
    public IReadOnlyList<int>? CudaGraphCaptureSizes { get; init; }

    /// <summary>Largest of the standard <see cref="CudaGraphCaptureSizes"/>; 0 for no graphs.</summary>
    public int? MaxCudaGraphCaptureSize { get; init; }

    /// <summary>Results on a GPU do not depend on the batch by a single bit, at some cost of speed. On a CPU they never do.</summary>
    public bool BatchInvariant { get; init; }

    /// <summary>Reuse the KV blocks of equal prefixes.</summary>
    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>Split long prompts over steps.</summary>
    public bool EnableChunkedPrefill { get; init; } = true;

    /// <summary>Most tokens of one prompt a step; 0 for no limit of its own.</summary>
    public int LongPrefillTokenThreshold { get; init; }

    /// <summary>Order of waiting requests.</summary>
    public SchedulingPolicy SchedulingPolicy { get; init; }

    /// <summary>Schedule the next step while one runs.</summary>
    public bool AsyncScheduling { get; init; } = true;

    /// <summary>Most logprobs a token; -1 for the whole vocabulary.</summary>
    public int MaxLogprobs { get; init; } = 20;

    /// <summary>Seed of requests that bring none, and of dummy weights.</summary>
    public long Seed { get; init; }

    /// <summary>Worker threads of the CPU backend; none for one a core.</summary>
    public int? CpuThreads { get; init; }

    /// <summary>Where sampling defaults come from: <c>auto</c> (generation_config.json), <c>vllm</c> (neutral), or a folder.</summary>
    public string GenerationConfig { get; init; } = "auto";

    /// <summary>JSON object merged over generation_config.json.</summary>
    public string? OverrideGenerationConfig { get; init; }
}
