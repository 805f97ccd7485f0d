using System.Diagnostics;
using System.Globalization;
using Sluice.Cli.Flags;
using Sluice.Compute;
using Sluice.KvCache;

namespace Sluice.Cli.Startup;

/// <summary>Finds the model, loads it and says what came of it, in lines that scripts know from vLLM.</summary>
internal static class EngineStarter
{
    private const double GiB = 1024.0 * 1024 * 1024;

    // Below this a bar would only flicker.
    private const long BarFromBytes = 256L << 20;

    /// <summary>The model that a command line names.</summary>
    public static ModelLocation Locate(FlagValues values, string? positional, EnvironmentSettings environment)
    {
        string? flagged = values.Text("model");
        if (positional is not null && flagged is not null && positional != flagged)
        {
            throw new UserErrorException($"two models were named, '{positional}' and --model '{flagged}'; give one.");
        }

        return ModelLocator.Find(positional ?? flagged, values.Text("revision") ?? "main", values.Text("download-dir") ?? environment.HuggingFaceCache);
    }

    /// <summary>Loads the engine.</summary>
    public static async Task<LlmEngine> StartAsync(EngineOptions options, ModelLocation model, LogLines log, bool isTerminal, CancellationToken cancellation)
    {
        log.Info($"Sluice {ProgramVersion.Text}: loading {(model.IsBundled ? "the bundled model " : "")}{model.Name} from {model.Folder}");
        var total = Stopwatch.StartNew();
        var display = new LoadDisplay(log);
        bool showBar = isTerminal && (options.LoadFormat == LoadFormat.Dummy || WeightFileBytes(model.Folder) >= BarFromBytes);
        LlmEngine engine = await display.ShowAsync(progress => LlmEngine.LoadAsync(options, progress, cancellation), showBar);
        engine.FaultObserver = fault => log.Error($"A step failed, and its requests with it: {fault}");

        MemoryPlan memory = engine.Memory;
        EngineOptions resolved = engine.Options;
        log.Info(
            $"Initializing a Sluice LLM engine (v{ProgramVersion.Text}) with config: model='{model.Name}', architecture={engine.ModelConfig.Architecture}, " +
            $"dtype={resolved.DType?.Name() ?? "as stored"}, device={resolved.Device.ToString().ToLowerInvariant()}, seed={resolved.Seed}, " +
            $"max_num_seqs={resolved.MaxNumSeqs}, block_size={memory.BlockSize}, enable_prefix_caching={resolved.EnablePrefixCaching}, " +
            $"scheduling_policy={resolved.SchedulingPolicy.ToString().ToLowerInvariant()}");
        foreach (string notice in engine.Notices)
        {
            log.Warning(notice);
        }

        log.Info($"Using max model len {engine.MaxModelLen}");
        if (resolved.EnableChunkedPrefill)
        {
            log.Info($"Chunked prefill is enabled with max_num_batched_tokens={resolved.MaxNumBatchedTokens}.");
        }

        double weightsSeconds = engine.Startup.WeightsElapsed.TotalSeconds;
        log.Info($"Loading weights took {weightsSeconds:F2} seconds");
        log.Info($"Model loading took {memory.WeightBytes / GiB:G3} GiB memory and {weightsSeconds:F2} seconds");
        log.Info($"Available KV cache memory: {memory.KvBytes / GiB:G3} GiB");
        log.Info(string.Create(
            CultureInfo.InvariantCulture,
            $"{(resolved.Device == DeviceKind.Cuda ? "GPU" : "CPU")} KV cache size: {memory.KvTokens:N0} tokens, Maximum concurrency for {engine.MaxModelLen:N0} tokens per request: {(double)memory.KvTokens / engine.MaxModelLen:F2}x"));
        if (engine.Graphs.Count > 0)
        {
            log.Info(string.Create(
                CultureInfo.InvariantCulture,
                $"Capturing CUDA graphs (decode, FULL): {engine.Graphs.Count} sizes up to {engine.Graphs.LargestSize} took {engine.Graphs.Elapsed.TotalSeconds:F2} seconds"));
        }

        if (StartupLines.Kernels(engine.Startup) is { } kernels)
        {
            log.Info(kernels);
        }

        foreach (string line in StartupLines.Memory(engine.Startup, memory, resolved.GpuMemoryUtilization))
        {
            log.Info(line);
        }

        log.Info($"init engine (profile, create kv cache, warmup model) took {total.Elapsed.TotalSeconds:F2} seconds ({StartupLines.Times(engine.Startup)})");
        return engine;
    }

    private static long WeightFileBytes(string folder) =>
        Directory.EnumerateFiles(folder, "*.safetensors").Sum(path => new FileInfo(path).Length);
}
