using System.Globalization;

namespace Sluice.KvCache;

/// <summary>What to say when memory is short: vLLM's sentences, and the flags that would help, with numbers.</summary>
/// <param name="inputs">What was asked for.</param>
/// <param name="plan">Everything but the cache.</param>
/// <param name="kvBudget">Memory that the cache could have.</param>
internal readonly struct MemoryPlanAdvice(MemoryPlanInputs inputs, MemoryPlan plan, long kvBudget)
{
    private const double GiB = 1024.0 * 1024 * 1024;
    private const int SmallBatch = 2048;
    private const int FewSequences = 256;

    // What drivers and displays leave of a GPU.
    private const double MostUtilization = 0.97;

    /// <summary>Someone else uses the GPU.</summary>
    public static UserErrorException GpuInUse(GpuMemory gpu, double utilization, long budget) => new(
        $"Free memory on device ({Text(gpu.FreeBytes)}/{Text(gpu.TotalBytes)} GiB) on startup is less than desired GPU memory utilization " +
        $"({Number(utilization)}, {Text(budget)} GiB). Decrease --gpu-memory-utilization (up to " +
        $"{Number(Math.Floor(100.0 * (gpu.FreeBytes + MemoryPlan.ContextBytes) / gpu.TotalBytes) / 100)} would do) or reduce GPU memory used by other processes.");

    /// <summary>Not even one block fits.</summary>
    public UserErrorException NoBlock(long blockBytes) => new(
        $"No available memory for the cache blocks: one block needs {Text(blockBytes)} GiB, {Text(Math.Max(0, kvBudget))} GiB are " +
        $"available. {Division()}{(inputs.Gpu is null ? "Try increasing --kv-cache-memory-bytes, or use a smaller model or machine with more memory." : Try(blockBytes, fits: 0))}");

    /// <summary>The context that was asked for is too long.</summary>
    public UserErrorException ContextTooLong(int wanted, long fits, long kvBytes) => new(
        $"To serve at least one request with the model's max seq len ({wanted}), ({Text(plan.KvBytesPerToken * wanted)} GiB KV cache is " +
        $"needed, which is larger than the available KV cache memory ({Text(kvBytes)} GiB). Based on the available " +
        $"memory, the estimated maximum model length is {fits}. " +
        (inputs.Gpu is null
            ? "Try increasing --kv-cache-memory-bytes or decreasing --max-model-len when initializing the engine."
            : Try((plan.KvBytesPerToken * wanted) - kvBytes, fits)));

    /// <summary>The model's own context is too long, and nobody asked for it.</summary>
    public string ContextShortened(int wanted, long fits, long kvBytes) =>
        $"The KV cache memory ({Text(kvBytes)} GiB) holds {fits} of the model's {wanted} positions: " +
        $"--max-model-len is set to {fits}. {(inputs.Gpu is null ? "Raise --kv-cache-memory-bytes for more." : Try((plan.KvBytesPerToken * wanted) - kvBytes, 0))}";

    /// <summary>Sizes were given that do not fit.</summary>
    public UserErrorException MoreThanFree(GpuMemory gpu, long needed) => new(
        $"The engine would take {Text(needed)} GiB of GPU memory, {Text(needed - plan.OtherBytes + plan.FixedBytes)} GiB of them for the KV cache, and " +
        $"{Text(gpu.FreeBytes)} GiB are free. {Division()}Lower --kv-cache-memory-bytes or --num-gpu-blocks-override, or leave them out.");

    private string Division() => inputs.Gpu is null
        ? ""
        : $"Of {Text((long)(inputs.Gpu.TotalBytes * inputs.Utilization))} GiB the weights take {Text(plan.WeightBytes)}, activations " +
            $"of {inputs.MaxBatchedTokens} tokens {Text(plan.ActivationBytes)}, logits and sampling of {inputs.MaxSequences} sequences " +
            $"{Text(plan.LogitsBytes + plan.SamplerBytes)}, context, kernels and graphs {Text(plan.FixedBytes + plan.WorkspaceBytes + plan.GraphBytes)}. ";

    /// <summary>The flags that free so many bytes, each by itself.</summary>
    private string Try(long shortBytes, long fits)
    {
        var ways = new List<string>();
        if (fits > 0)
        {
            ways.Add($"--max-model-len {fits}");
        }

        GpuMemory gpu = inputs.Gpu!;
        double utilization = Math.Ceiling(100 * (((gpu.TotalBytes * inputs.Utilization) + shortBytes - Math.Min(0, kvBudget)) / gpu.TotalBytes)) / 100;
        if (inputs.KvCacheMemoryBytes is null && utilization <= MostUtilization && utilization * gpu.TotalBytes <= gpu.FreeBytes + MemoryPlan.ContextBytes)
        {
            ways.Add($"--gpu-memory-utilization {Number(utilization)}");
        }

        if (inputs.KvCacheMemoryBytes is not null)
        {
            ways.Add("a larger --kv-cache-memory-bytes");
        }
        else
        {
            if (inputs.MaxBatchedTokens > SmallBatch
                && inputs.Model.ActivationBytesPerToken * (inputs.MaxBatchedTokens - SmallBatch) >= shortBytes - Math.Min(0, kvBudget))
            {
                ways.Add($"--max-num-batched-tokens {SmallBatch}");
            }

            if (inputs.MaxSequences > FewSequences
                && (plan.LogitsBytes + plan.SamplerBytes) * (1 - ((double)FewSequences / inputs.MaxSequences)) >= shortBytes - Math.Min(0, kvBudget))
            {
                ways.Add($"--max-num-seqs {FewSequences}");
            }
        }

        if (inputs.CouldUseFp8Cache && kvBudget >= shortBytes)
        {
            ways.Add("--kv-cache-dtype fp8");
        }

        return ways.Count == 0
            ? "Use a smaller model or a GPU with more memory."
            : $"Try {(ways.Count == 1 ? ways[0] : $"{string.Join(", ", ways[..^1])} or {ways[^1]}")}.";
    }

    private static string Text(long bytes) => bytes >= 0.01 * GiB || bytes == 0
        ? (bytes / GiB).ToString("F2", CultureInfo.InvariantCulture)
        : (bytes / GiB).ToString("G3", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
