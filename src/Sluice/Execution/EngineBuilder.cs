using System.Diagnostics;
using Sluice.Compute;
using Sluice.Compute.Cuda;
using Sluice.KvCache;
using Sluice.Models;
using Sluice.Scheduling;
using Sluice.Text;
using Sluice.Weights;

namespace Sluice.Execution;

/// <summary>What <see cref="LlmEngine"/> is made of.</summary>
internal sealed record EngineParts
{
    /// <summary>The options with all derived values filled in.</summary>
    public required EngineOptions Options { get; init; }

    public required ModelConfig Config { get; init; }

    public required GenerationDefaults Defaults { get; init; }

    public required MemoryPlan Memory { get; init; }

    public required EngineLoop Loop { get; init; }

    public required EngineMetrics Metrics { get; init; }

    public Tokenizer? Tokenizer { get; init; }

    public ChatTemplate? ChatTemplate { get; init; }

    public required GraphCapture Graphs { get; init; }

    /// <summary>Time and memory of the parts of the start.</summary>
    public required StartupReport Startup { get; init; }

    /// <summary>Lines for the person who started the engine.</summary>
    public required IReadOnlyList<string> Notices { get; init; }
}

/// <summary>What the capture of decode steps came to; no graphs on a device that has none.</summary>
/// <param name="Count">Graphs.</param>
/// <param name="LargestSize">Sequences of the largest.</param>
/// <param name="Elapsed">Time it took.</param>
internal readonly record struct GraphCapture(int Count, int LargestSize, TimeSpan Elapsed);

/// <summary>
/// Loads a model and puts an engine together. Everything that can fail on a user's mistake is checked before the weights
/// are read; the tokenizer is read meanwhile on another thread.
/// </summary>
internal static class EngineBuilder
{
    // On a CPU the memory is shared with everything else, so the cache takes no more than this unless told to.
    private const long DefaultCpuKvBytes = 4L << 30;

    /// <param name="options">What the user asked for.</param>
    /// <param name="progress">Told of each few megabytes of weights.</param>
    /// <param name="cancellation">Stops loading.</param>
    /// <param name="device">For tests: a backend to use, whatever the options say of the device.</param>
    public static EngineParts Build(
        EngineOptions options, IProgress<LoadProgress>? progress, CancellationToken cancellation, IBackend? device = null)
    {
        long start = Stopwatch.GetTimestamp();
        ModelConfig config = ModelConfigReader.Read(options);
        EngineOptions asked = options;
        Task<(Tokenizer?, ChatTemplate?, string?)> text = Task.Run(() => LoadText(asked), cancellation);
        (IBackend backend, options, string? deviceNotice) = device is null ? DeviceSelector.Create(options, config) : (device, options, null);
        IDisposable owner = backend;
        var report = new StartupReport(backend, isGpu: options.Device == DeviceKind.Cuda, start);
        try
        {
            SchedulerOptions limits = EngineLimits.Resolve(options, config, backend);
            DType kvType = options.KvCacheDType ?? backend.ActivationType;
            MemoryPlan memory = Plan(options, config, backend, limits, kvType);
            options = Resolved(options, limits, memory);
            report.Add("device", memory.FixedBytes);
            using PendingModel pending = ModelLoader.Begin(options, backend, limits.MaxBatchedTokens);
            report.Add("weights and activations", memory.WeightBytes + memory.ActivationBytes);
            var runner = new ModelRunner(backend, pending.Model, memory, limits, kvType, options.MaxLogprobs);
            owner = runner;
            report.Add("KV cache, logits and sampler", memory.KvBytes + memory.LogitsBytes + memory.SamplerBytes + memory.StepBytes);

            // Kernels are compiled, or read from the cache, while the weights are read.
            runner.Prepare(limits.MaxBatchedTokens);
            LoadedModel loaded = pending.Load(progress, cancellation);
            config = loaded.Config;
            report.Add(StartupReport.Weights);
            double secondsPerToken = runner.WarmUp(limits.MaxBatchedTokens).TotalSeconds;
            report.Add("kernels and workspace", memory.WorkspaceBytes);
            long captureStart = Stopwatch.GetTimestamp();
            int graphCount = runner.CaptureGraphs(GraphSizes.Resolve(options, limits.MaxSequences));
            var graphs = new GraphCapture(graphCount, runner.LargestGraph, Stopwatch.GetElapsedTime(captureStart));
            report.Add("graphs", memory.GraphBytes);
            SwapSpace? swapSpace = AddSwapSpace(options, runner, memory, limits);
            (Tokenizer? tokenizer, ChatTemplate? template, string? textNotice) = text.GetAwaiter().GetResult();
            report.Add("swap space and tokenizer");

            var metrics = new EngineMetrics(memory.MaxModelLen);
            PrefixCache? cache = options.EnablePrefixCaching
                ? new PrefixCache(memory.BlockCount, memory.BlockSize, SipHash128.CreateRandom())
                : null;
            Heartbeat heartbeat = options.Device == DeviceKind.Cuda
                ? Heartbeat.ForGpu(TimeProvider.System)
                : new Heartbeat(TimeProvider.System, secondsPerToken);
            var loop = new EngineLoop(
                new EngineLoopOptions
                {
                    Scheduler = limits,
                    EosTokenIds = config.EosTokenIds,
                    AsyncScheduling = options.AsyncScheduling,
                    Seed = options.Seed,
                },
                new BlockPool(memory.BlockCount, cache), cache, runner, metrics, heartbeat, TimeProvider.System, swapSpace);
            metrics.CacheConfig = Describe(options, memory);
            return new EngineParts
            {
                Options = options,
                Config = config,
                Defaults = loaded.Defaults,
                Memory = memory,
                Loop = loop,
                Metrics = metrics,
                Tokenizer = tokenizer,
                ChatTemplate = template,
                Graphs = graphs,
                Startup = report,
                Notices = [.. new[] { deviceNotice, memory.Notice, textNotice, Unused(loaded), KernelCacheProblem(backend) }.OfType<string>()],
            };
        }
        catch (InsufficientMemoryException shortage)
        {
            owner.Dispose();
            throw new UserErrorException(
                $"{shortage.Message} Free memory, or lower --gpu-memory-utilization, --max-num-seqs or --max-num-batched-tokens, or use a smaller model.");
        }
        catch
        {
            owner.Dispose();
            throw;
        }
    }

    private static MemoryPlan Plan(EngineOptions options, ModelConfig config, IBackend backend, SchedulerOptions limits, DType kvType)
    {
        using ICheckpoint checkpoint = ModelLoader.OpenCheckpoint(options);
        int context = Math.Min(options.MaxModelLen ?? config.MaxPositions, config.MaxPositions);
        DType? weightType = options.DType ?? (options.LoadFormat == LoadFormat.Dummy ? config.StoredType : null);
        ModelMemory model = ModelMemory.Plan(
            config, new BuildLimits(limits.MaxBatchedTokens, context), weightType, backend.ActivationType, kvType, checkpoint);
        bool isGpu = options.Device == DeviceKind.Cuda;
        (long totalBytes, long availableBytes) = backend.Memory;
        return MemoryPlan.Create(new MemoryPlanInputs
        {
            Model = model,
            VocabularySize = config.VocabularySize,
            MaxPositions = config.MaxPositions,
            AvailableBytes = availableBytes,
            Gpu = isGpu ? new GpuMemory(totalBytes, availableBytes, GraphSizes.Resolve(options, limits.MaxSequences).Length) : null,
            CouldUseFp8Cache = isGpu && kvType != DType.Float8E4M3,
            Utilization = options.GpuMemoryUtilization,
            DefaultKvBytes = isGpu ? null : DefaultCpuKvBytes,
            KvCacheMemoryBytes = options.KvCacheMemoryBytes,
            BlockCountOverride = options.NumGpuBlocksOverride,
            BlockSize = limits.BlockSize,
            MaxSequences = limits.MaxSequences,
            MaxBatchedTokens = limits.MaxBatchedTokens,
            MaxModelLen = options.MaxModelLen,
            SwapSpaceBytes = EngineLimits.SwapSpaceBytes(options),
        });
    }

    private static SwapSpace? AddSwapSpace(EngineOptions options, ModelRunner runner, MemoryPlan memory, SchedulerOptions limits)
    {
        if (memory.SwapBytes == 0)
        {
            return null;
        }

        var space = new SwapSpace();
        runner.AddSwapSpace(space, memory.SwapBytes, limits.MaxBatchedTokens, options.PreemptionMode);
        return space;
    }

    private static EngineOptions Resolved(EngineOptions options, SchedulerOptions limits, MemoryPlan memory) => options with
    {
        MaxModelLen = memory.MaxModelLen,
        MaxNumBatchedTokens = limits.MaxBatchedTokens,
        MaxNumSeqs = limits.MaxSequences,
        BlockSize = limits.BlockSize,
    };

    private static (Tokenizer?, ChatTemplate?, string?) LoadText(EngineOptions options)
    {
        if (options.SkipTokenizerInit)
        {
            return (null, null, null);
        }

        string place = options.Tokenizer ?? options.Model;
        string folder = Directory.Exists(place) ? place : Path.GetDirectoryName(Path.GetFullPath(place))!;
        string file = Directory.Exists(place) ? Path.Combine(place, "tokenizer.json") : place;
        if (!File.Exists(file))
        {
            return options.Tokenizer is null
                ? (null, null, $"{folder} has no tokenizer.json: only token ids are served, as with --skip-tokenizer-init.")
                : throw new UserErrorException($"--tokenizer {place}: there is no tokenizer.json.");
        }

        return (Tokenizer.Load(file), ChatTemplateLoader.Load(folder, options.ChatTemplate), null);
    }

    private static string? KernelCacheProblem(IBackend backend) => backend is CudaBackend ? CudaBackend.Builder.Cache.Problem : null;

    private static string? Unused(LoadedModel loaded) => loaded.UnusedTensors.Count == 0
        ? null
        : $"{loaded.UnusedTensors.Count} tensors in the files are not used by {loaded.Config.Architecture}, {loaded.UnusedTensors[0]} among them.";

    private static List<KeyValuePair<string, string>> Describe(EngineOptions options, MemoryPlan memory) =>
    [
        new("block_size", $"{memory.BlockSize}"),
        new("cache_dtype", options.KvCacheDType?.Name() ?? "auto"),
        new("enable_prefix_caching", options.EnablePrefixCaching ? "True" : "False"),
        new("gpu_memory_utilization", $"{options.GpuMemoryUtilization}"),
        new("kv_cache_memory_bytes", $"{memory.KvBytes}"),
        new("kv_cache_size_tokens", $"{memory.KvTokens}"),
        new("num_gpu_blocks", $"{memory.BlockCount}"),
    ];
}
