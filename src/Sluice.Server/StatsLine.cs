using System.Globalization;
using Sluice.Requests;
using Sluice.Server.Http;

namespace Sluice.Server;

/// <summary>
/// The throughput line, word for word in vLLM's order since scripts grep it. Nothing is written while nothing happens; a last line with
/// zeros follows the last work.
/// </summary>
internal sealed class StatsLine(LlmEngine engine, StatsLineFormat format)
{
    /// <summary>The prefix cache's hit rate is that of about so many requests, as in vLLM.</summary>
    private const int HitRateRequests = 1000;

    private static readonly FinishReason[] FinishReasons = Enum.GetValues<FinishReason>();

    private readonly Queue<Interval> _recent = new();
    private Totals _last = Totals.Of(engine);
    private bool _wasBusy;

    /// <summary>Writes a line each interval until cancelled.</summary>
    public static async Task RunAsync(LlmEngine engine, StatsLineFormat format, TimeSpan interval, ServerLog log, CancellationToken cancellation)
    {
        StatsLine line = new(engine, format);
        using PeriodicTimer timer = new(interval);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellation))
            {
                if (line.Next(interval.TotalSeconds) is { } text)
                {
                    log.Info(text);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    /// <summary>The line for the time since the last call, or none while idle.</summary>
    public string? Next(double seconds)
    {
        Totals now = Totals.Of(engine);
        EngineStats stats = engine.Stats;
        double promptRate = (now.ComputedPromptTokens - _last.ComputedPromptTokens) / seconds;
        double generationRate = (now.GenerationTokens - _last.GenerationTokens) / seconds;
        long preemptions = now.Preemptions - _last.Preemptions;
        Remember(new Interval(
            now.PrefixQueries - _last.PrefixQueries, now.PrefixHits - _last.PrefixHits, now.FinishedRequests - _last.FinishedRequests));
        _last = now;
        bool isBusy = promptRate > 0 || generationRate > 0 || stats.RunningCount > 0 || stats.WaitingCount > 0 || stats.SwappedCount > 0;
        bool shows = isBusy || _wasBusy;
        _wasBusy = isBusy;
        return !shows ? null
            : format == StatsLineFormat.V0 ? Older(stats, promptRate, generationRate)
            : Present(stats, promptRate, generationRate, preemptions);
    }

    private bool IsCpu => engine.Options.Device == DeviceKind.Cpu;

    private string Present(EngineStats stats, double promptRate, double generationRate, long preemptions) => string.Create(
        CultureInfo.InvariantCulture,
        $"Engine 000: Avg prompt throughput: {promptRate:0.0} tokens/s, Avg generation throughput: {generationRate:0.0} tokens/s, "
        + $"Running: {stats.RunningCount} reqs, Waiting: {stats.WaitingCount} reqs, "
        + $"{(stats.SwapBlocksTotal > 0 ? $"Swapped: {stats.SwappedCount} reqs, " : "")}"
        + $"{(preemptions > 0 ? $"Preemptions: {preemptions}, " : "")}"
        + $"{(IsCpu ? "CPU" : "GPU")} KV cache usage: {stats.KvUsage * 100:0.0}%, Prefix cache hit rate: {HitRate() * 100:0.0}%");

    // On a GPU the place for the CPU is that of swapped blocks, as it was in vLLM.
    private string Older(EngineStats stats, double promptRate, double generationRate) => string.Create(
        CultureInfo.InvariantCulture,
        $"Avg prompt throughput: {promptRate:0.0} tokens/s, Avg generation throughput: {generationRate:0.0} tokens/s, "
        + $"Running: {stats.RunningCount} reqs, Swapped: {stats.SwappedCount} reqs, Pending: {stats.WaitingCount} reqs, "
        + $"GPU KV cache usage: {(IsCpu ? 0 : stats.KvUsage * 100):0.0}%, CPU KV cache usage: {(IsCpu ? stats.KvUsage : stats.SwapUsage) * 100:0.0}%.");

    private void Remember(Interval interval)
    {
        _recent.Enqueue(interval);
        long requests = _recent.Sum(static entry => entry.Requests);
        while (_recent.Count > 1 && requests - _recent.Peek().Requests >= HitRateRequests)
        {
            requests -= _recent.Dequeue().Requests;
        }

        // Idle intervals add nothing; they must not pile up over days either.
        while (_recent.Count > HitRateRequests)
        {
            _recent.Dequeue();
        }
    }

    private double HitRate()
    {
        long queries = _recent.Sum(static entry => entry.Queries);
        return queries > 0 ? (double)_recent.Sum(static entry => entry.Hits) / queries : 0;
    }

    private readonly record struct Interval(long Queries, long Hits, long Requests);

    private readonly record struct Totals(
        long ComputedPromptTokens, long GenerationTokens, long PrefixQueries, long PrefixHits, long Preemptions, long FinishedRequests)
    {
        public static Totals Of(LlmEngine engine)
        {
            EngineMetrics metrics = engine.Metrics;
            return new Totals(
                metrics.PromptTokens.Value - metrics.PromptTokensCached.Value,
                metrics.GenerationTokens.Value,
                metrics.PrefixCacheQueries.Value,
                metrics.PrefixCacheHits.Value,
                metrics.Preemptions.Value,
                FinishReasons.Sum(reason => metrics.RequestSuccess(reason).Value));
        }
    }
}
