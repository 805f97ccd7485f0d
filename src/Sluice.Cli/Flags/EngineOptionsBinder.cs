using System.Text.Json;
using Sluice.Compute;

namespace Sluice.Cli.Flags;

/// <summary>Turns the flags of <see cref="EngineFlags"/> into <see cref="EngineOptions"/>.</summary>
internal static class EngineOptionsBinder
{
    /// <param name="values">The flags.</param>
    /// <param name="modelFolder">Where the model's files are.</param>
    public static EngineOptions Bind(FlagValues values, string modelFolder)
    {
        var standard = new EngineOptions { Model = modelFolder };
        _ = values.Text("tokenizer-mode");
        _ = values.Text("logprobs-mode");
        return standard with
        {
            Tokenizer = values.Text("tokenizer"),
            SkipTokenizerInit = values.Switch("skip-tokenizer-init") ?? standard.SkipTokenizerInit,
            ChatTemplate = values.Text("chat-template"),
            Device = values.Text("device") switch { "cpu" => DeviceKind.Cpu, "cuda" or "gpu" => DeviceKind.Cuda, _ => DeviceKind.Auto },
            DType = Type(values.Text("dtype")),
            KvCacheDType = Type(values.Text("kv-cache-dtype")),
            Quantization = values.Text("quantization") is { } method and not ("" or "none" or "None") ? method : null,
            LoadFormat = values.Text("load-format") == "dummy" ? LoadFormat.Dummy : LoadFormat.Auto,
            HfOverrides = HfOverrides(values),
            MaxModelLen = values.Count("max-model-len"),
            MaxNumBatchedTokens = values.Count("max-num-batched-tokens"),
            MaxNumSeqs = values.Count("max-num-seqs"),
            BlockSize = values.Count("block-size"),
            KvCacheMemoryBytes = values.Bytes("kv-cache-memory-bytes"),
            NumGpuBlocksOverride = values.Count("num-gpu-blocks-override"),
            GpuMemoryUtilization = values.Number("gpu-memory-utilization") ?? standard.GpuMemoryUtilization,
            SwapSpaceGiB = values.Number("swap-space"),
            PreemptionMode = values.Text("preemption-mode") switch
            {
                "swap" => PreemptionMode.Swap,
                "recompute" => PreemptionMode.Recompute,
                _ => PreemptionMode.Cheaper,
            },
            EnforceEager = values.Switch("enforce-eager") ?? standard.EnforceEager,
            CudaGraphCaptureSizes = values.List("cudagraph-capture-sizes") is { } sizes ? GraphSizeList(sizes) : OldGraphSizes(values)?.Sizes,
            MaxCudaGraphCaptureSize = values.Count("max-cudagraph-capture-size") ?? OldGraphSizes(values)?.Largest,
            BatchInvariant = values.Switch("batch-invariant") ?? standard.BatchInvariant,
            EnablePrefixCaching = values.Switch("enable-prefix-caching") ?? standard.EnablePrefixCaching,
            EnableChunkedPrefill = values.Switch("enable-chunked-prefill") ?? standard.EnableChunkedPrefill,
            LongPrefillTokenThreshold = values.Count("long-prefill-token-threshold") ?? standard.LongPrefillTokenThreshold,
            SchedulingPolicy = values.Text("scheduling-policy") == "priority" ? SchedulingPolicy.Priority : SchedulingPolicy.Fcfs,
            AsyncScheduling = values.Switch("async-scheduling") ?? standard.AsyncScheduling,
            MaxLogprobs = values.Count("max-logprobs") ?? standard.MaxLogprobs,
            Seed = values.Integer("seed") ?? standard.Seed,
            CpuThreads = values.Count("cpu-threads"),
            GenerationConfig = values.Text("generation-config") ?? standard.GenerationConfig,
            OverrideGenerationConfig = values.Text("override-generation-config"),
        };
    }

    private static DType? Type(string? name) => name switch
    {
        "half" or "float16" => DType.Float16,
        "bfloat16" => DType.BFloat16,
        "float" or "float32" => DType.Float32,
        "fp8" or "fp8_e4m3" => DType.Float8E4M3,
        _ => null,
    };

    /// <summary>The older flag: one number is the largest size, several are the sizes themselves.</summary>
    private static (int[]? Sizes, int? Largest)? OldGraphSizes(FlagValues values)
    {
        int[]? sizes = values.List("cuda-graph-sizes") is { } texts ? GraphSizeList(texts) : null;
        return sizes is null ? null : sizes.Length == 1 ? (null, sizes[0]) : (sizes, null);
    }

    private static int[] GraphSizeList(IReadOnlyList<string> texts) =>
    [
        .. texts.SelectMany(static text => text.Trim('[', ']').Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .Select(static text => HumanNumber.TryParseInteger(text, out long size) && size is > 0 and <= int.MaxValue
                ? (int)size
                : throw new UserErrorException($"--cudagraph-capture-sizes '{text}' is not a batch size: whole numbers from 1 on are expected.")),
    ];

    /// <summary>The overrides with the older rope flags put in.</summary>
    private static string? HfOverrides(FlagValues values)
    {
        string? overrides = values.Text("hf-overrides");
        string? scaling = values.Text("rope-scaling");
        string? theta = values.Text("rope-theta");
        if (scaling is null && theta is null)
        {
            return overrides;
        }

        var members = new DottedJson();
        if (overrides is not null)
        {
            using var document = JsonDocument.Parse(overrides);
            foreach (JsonProperty member in document.RootElement.EnumerateObject())
            {
                members.SetRaw(member.Name, member.Value.GetRawText());
            }
        }

        if (scaling is not null)
        {
            members.SetRaw("rope_scaling", scaling);
        }

        if (theta is not null)
        {
            members.SetRaw("rope_theta", theta);
        }

        return members.ToString();
    }
}
