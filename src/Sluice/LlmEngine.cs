using Sluice.Execution;
using Sluice.Models;
using Sluice.Requests;
using Sluice.Scheduling;
using Sluice.Text;

namespace Sluice;

/// <summary>
/// A loaded model that serves many requests at once, in one process. Thread-safe. Made by <see cref="LoadAsync"/>; disposing
/// aborts what runs and frees the model.
/// </summary>
public sealed class LlmEngine : IAsyncDisposable
{
    private readonly EngineParts _parts;
    private int _disposed;

    private LlmEngine(EngineParts parts)
    {
        _parts = parts;
        Metrics.SetGauges(ReadGauges);
    }

    /// <summary>The tokenizer; none when the model folder has none or only token ids are served.</summary>
    public Tokenizer? Tokenizer => _parts.Tokenizer;

    /// <summary>The chat template; none when the model has none.</summary>
    public ChatTemplate? ChatTemplate => _parts.ChatTemplate;

    /// <summary>Longest prompt and completion together, in tokens.</summary>
    public int MaxModelLen => _parts.Memory.MaxModelLen;

    /// <summary>Token ids are 0 to this minus 1.</summary>
    public int VocabularySize => _parts.Config.VocabularySize;

    /// <summary>What the model's authors recommend for sampling.</summary>
    public GenerationDefaults Defaults => _parts.Defaults;

    /// <summary>The options with all derived values filled in.</summary>
    public EngineOptions Options => _parts.Options;

    /// <summary>What there is to say about the loading, one line each: a shortened context, a missing tokenizer.</summary>
    public IReadOnlyList<string> Notices => _parts.Notices;

    /// <summary>The engine takes requests and its steps end in the time that they need. Idle is healthy.</summary>
    public bool IsHealthy => _disposed == 0 && _parts.Loop.IsHealthy;

    /// <summary>
    /// What stopped the engine for good, one line, or none. Every request that ran has ended with an error, and no more are taken: what is
    /// left is to dispose the engine and to make a new one, in a new process where the device itself failed.
    /// </summary>
    public string? Fault => _parts.Loop.Fault;

    /// <summary>Completes when <see cref="Fault"/> is set and all requests have heard of it; else never.</summary>
    public Task Broken => _parts.Loop.Broken;

    /// <summary>What the engine is doing now.</summary>
    public EngineStats Stats => _parts.Loop.Snapshot();

    internal EngineMetrics Metrics => _parts.Metrics;

    internal ModelConfig ModelConfig => _parts.Config;

    internal EngineLoop Loop => _parts.Loop;

    /// <summary>Told, on the engine's own thread, of the exceptions that clients only hear of as an internal error.</summary>
    internal Action<Exception>? FaultObserver
    {
        get => _parts.Loop.FaultObserver;
        set => _parts.Loop.FaultObserver = value;
    }

    internal GraphCapture Graphs => _parts.Graphs;

    internal StartupReport Startup => _parts.Startup;

    internal KvCache.MemoryPlan Memory => _parts.Memory;

    /// <summary>Loads a model.</summary>
    /// <param name="options">The model and how to run it.</param>
    /// <param name="progress">Told of each few megabytes of weights.</param>
    /// <param name="cancellation">Stops loading.</param>
    /// <exception cref="UserErrorException">The model folder is missing, damaged or unknown, or does not fit; the message says which.</exception>
    public static Task<LlmEngine> LoadAsync(
        EngineOptions options, IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Task.Run(() => new LlmEngine(EngineBuilder.Build(options, progress, cancellation)), cancellation);
    }

    /// <summary>For tests: loads a model on a given device, which the engine then owns.</summary>
    internal static LlmEngine Load(EngineOptions options, Compute.IBackend device) =>
        new(EngineBuilder.Build(options, progress: null, CancellationToken.None, device));

    /// <summary>Starts a request. It runs whether its stream is read or not, until the stream's buffer is full.</summary>
    /// <exception cref="RequestValidationException">
    /// A parameter is out of range, the prompt is empty, too long or has an id that is no token, the id is in use, or the engine is
    /// shutting down.
    /// </exception>
    public RequestStream Submit(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        int maxOutputCount = RequestRules.Check(
            request, VocabularySize, MaxModelLen, Options.MaxLogprobs, Options.SchedulingPolicy);
        return _parts.Loop.Submit(request, maxOutputCount);
    }

    /// <summary>Ends a request; an id that is not running is ignored. Its stream ends with <see cref="FinishReason.Abort"/>.</summary>
    public void Abort(string requestId) => _parts.Loop.Abort(requestId);

    /// <summary>Refuses new requests and waits for those that run; what is left when the time is over is aborted.</summary>
    public Task DrainAsync(TimeSpan timeout) => _parts.Loop.DrainAsync(timeout);

    /// <summary>Aborts what runs, ends the engine's threads and frees the model.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await Task.Run(_parts.Loop.Dispose).ConfigureAwait(false);
            Metrics.Dispose();
        }
    }

    private EngineGauges ReadGauges()
    {
        EngineStats stats = Stats;
        return new EngineGauges(stats.RunningCount, stats.WaitingCount, stats.SwappedCount, stats.KvUsage, stats.SwapUsage);
    }
}
