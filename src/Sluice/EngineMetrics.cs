using System.Diagnostics;
using System.Diagnostics.Metrics;
using Sluice.Requests;

namespace Sluice;

/// <summary>
/// Counters, gauges and histograms under vLLM's names and with its buckets, so that a dashboard made for vLLM shows them.
/// The engine loop records; scrapes read. Recording takes no lock and allocates nothing. The same values are published through
/// the <see cref="Meter"/> <c>Sluice</c>, where counters and gauges are only read while somebody listens.
/// </summary>
internal sealed class EngineMetrics : IDisposable
{
    /// <summary>What the names start with in the <see cref="Meter"/>.</summary>
    public const string MeterPrefix = "sluice.";

    private readonly MetricCounter[] _counters;
    private readonly MetricGauge[] _gauges;
    private readonly MetricHistogram[] _histograms;
    private readonly MetricCounter[] _finished;
    private Func<EngineGauges> _readGauges = static () => default;

    /// <param name="maxModelLen">Longest context; the buckets of token counts end there.</param>
    public EngineMetrics(int maxModelLen)
    {
        _finished = [Finished("stop"), Finished("length"), Finished("abort"), Finished("error")];
        _counters =
        [
            PromptTokens, PromptTokensCached, GenerationTokens, PrefixCacheQueries, PrefixCacheHits, Preemptions, .. _finished,
        ];
        _gauges =
        [
            new("num_requests_running", "Number of requests in model execution batches.", () => _readGauges().Running),
            new("num_requests_waiting", "Number of requests waiting to be processed.", () => _readGauges().Waiting),
            new("num_requests_swapped", "Number of requests whose KV cache lies in host memory.", () => _readGauges().Swapped),
            new("kv_cache_usage_perc", "KV cache usage; 1 means 100 percent.", () => _readGauges().KvUsage),
            new("cpu_cache_usage_perc", "Usage of the host memory for swapped KV blocks; 1 means 100 percent.", () => _readGauges().SwapUsage),
        ];

        double[] tokens = MetricBuckets.OneTwoFive(maxModelLen);
        TimeToFirstToken = Make(
            "time_to_first_token_seconds", "Time from arrival to the first token, in seconds.", MetricBuckets.FirstToken);
        InterTokenLatency = Make("inter_token_latency_seconds", "Time between tokens, in seconds.", MetricBuckets.PerToken);
        TimePerOutputToken = Make(
            "request_time_per_output_token_seconds", "Mean time per output token of a request, in seconds.", MetricBuckets.PerToken);
        EndToEndLatency = Make("e2e_request_latency_seconds", "Time from arrival to the end, in seconds.", MetricBuckets.Request);
        QueueTime = Make("request_queue_time_seconds", "Time spent waiting, in seconds.", MetricBuckets.Request);
        InferenceTime = Make("request_inference_time_seconds", "Time spent running, in seconds.", MetricBuckets.Request);
        PrefillTime = Make("request_prefill_time_seconds", "Time spent in prefill, in seconds.", MetricBuckets.Request);
        DecodeTime = Make("request_decode_time_seconds", "Time spent in decode, in seconds.", MetricBuckets.Request);
        RequestPromptTokens = Make("request_prompt_tokens", "Prompt tokens of a request.", tokens);
        RequestGenerationTokens = Make("request_generation_tokens", "Generated tokens of a request.", tokens);
        RequestMaxTokens = Make("request_params_max_tokens", "The max_tokens parameter of a request.", tokens);
        RequestN = Make("request_params_n", "The n parameter of a request.", MetricBuckets.Choices);
        IterationTokens = Make("iteration_tokens_total", "Tokens of an engine step.", MetricBuckets.Iteration);
        _histograms =
        [
            TimeToFirstToken, InterTokenLatency, TimePerOutputToken, EndToEndLatency, QueueTime, InferenceTime, PrefillTime,
            DecodeTime, RequestPromptTokens, RequestGenerationTokens, RequestMaxTokens, RequestN, IterationTokens,
        ];
        Publish();
    }

    /// <summary>Where the values are published too.</summary>
    public Meter Meter { get; } = new("Sluice");

    public MetricCounter PromptTokens { get; } = new("prompt_tokens", "Number of prefill tokens processed.");

    public MetricCounter PromptTokensCached { get; } = new("prompt_tokens_cached", "Number of prompt tokens taken from the cache.");

    public MetricCounter GenerationTokens { get; } = new("generation_tokens", "Number of generation tokens processed.");

    public MetricCounter PrefixCacheQueries { get; } = new("prefix_cache_queries", "Prefix cache queries, in tokens.");

    public MetricCounter PrefixCacheHits { get; } = new("prefix_cache_hits", "Prefix cache hits, in tokens.");

    public MetricCounter Preemptions { get; } = new("num_preemptions", "Cumulative number of preemptions from the engine.");

    public MetricHistogram TimeToFirstToken { get; }

    public MetricHistogram InterTokenLatency { get; }

    public MetricHistogram TimePerOutputToken { get; }

    public MetricHistogram EndToEndLatency { get; }

    public MetricHistogram QueueTime { get; }

    public MetricHistogram InferenceTime { get; }

    public MetricHistogram PrefillTime { get; }

    public MetricHistogram DecodeTime { get; }

    public MetricHistogram RequestPromptTokens { get; }

    public MetricHistogram RequestGenerationTokens { get; }

    public MetricHistogram RequestMaxTokens { get; }

    public MetricHistogram RequestN { get; }

    public MetricHistogram IterationTokens { get; }

    /// <summary>All counters; those of one name that differ by their label follow each other.</summary>
    public IReadOnlyList<MetricCounter> Counters => _counters;

    public IReadOnlyList<MetricGauge> Gauges => _gauges;

    public IReadOnlyList<MetricHistogram> Histograms => _histograms;

    /// <summary>Labels of the constant gauge <c>cache_config_info</c>, such as block_size; set once by the engine.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> CacheConfig { get; set; } = [];

    /// <summary>Where the gauges look; set once by the engine. Called by any thread, so it must only read.</summary>
    public void SetGauges(Func<EngineGauges> read) => _readGauges = read;

    /// <summary>Requests that ended for a reason.</summary>
    public MetricCounter RequestSuccess(FinishReason reason) => _finished[(int)reason];

    /// <summary>A request of <paramref name="n"/> choices came in; once a request, not once a choice.</summary>
    public void OnRequestArrived(int n, int? maxTokens)
    {
        RequestN.Observe(n);
        if (maxTokens is int limit)
        {
            RequestMaxTokens.Observe(limit);
        }
    }

    /// <summary>The prefix cache was asked for a prompt.</summary>
    public void OnPrefixLookup(int queriedTokens, int hitTokens)
    {
        PrefixCacheQueries.Add(queriedTokens);
        PrefixCacheHits.Add(hitTokens);
    }

    /// <summary>Tokens of a sequence go into a step; only the first call for a sequence counts.</summary>
    public void OnScheduled(ref RequestTimings timings, long now)
    {
        if (timings.Scheduled == 0)
        {
            timings.Scheduled = now;
            QueueTime.Observe(Seconds(timings.Arrived, now));
        }
    }

    /// <summary>A prompt is fully in the cache; not for one that is computed again after a preemption.</summary>
    public void OnPromptComputed(int promptTokens, int cachedTokens)
    {
        PromptTokens.Add(promptTokens);
        PromptTokensCached.Add(cachedTokens);
    }

    /// <summary>Generated tokens of a sequence reached the loop.</summary>
    public void OnTokens(ref RequestTimings timings, int tokenCount, long now)
    {
        GenerationTokens.Add(tokenCount);
        if (timings.FirstToken == 0)
        {
            timings.FirstToken = now;
            TimeToFirstToken.Observe(Seconds(timings.Arrived, now));
        }
        else
        {
            InterTokenLatency.Observe(Seconds(timings.LastToken, now));
        }

        timings.LastToken = now;
    }

    /// <summary>Running sequences were put back to waiting.</summary>
    public void OnPreempted(int count = 1) => Preemptions.Add(count);

    /// <summary>A step of so many tokens was computed.</summary>
    public void OnStep(int tokenCount) => IterationTokens.Observe(tokenCount);

    /// <summary>A choice ended. Stages that it never reached are not observed.</summary>
    public void OnFinished(in RequestTimings timings, FinishReason reason, int promptTokens, int generatedTokens, long now)
    {
        _finished[(int)reason].Add(1);
        EndToEndLatency.Observe(Seconds(timings.Arrived, now));
        RequestPromptTokens.Observe(promptTokens);
        RequestGenerationTokens.Observe(generatedTokens);
        if (timings.FirstToken == 0)
        {
            return;
        }

        double decode = Seconds(timings.FirstToken, timings.LastToken);
        PrefillTime.Observe(Seconds(timings.Scheduled, timings.FirstToken));
        DecodeTime.Observe(decode);
        InferenceTime.Observe(Seconds(timings.Scheduled, timings.LastToken));
        TimePerOutputToken.Observe(generatedTokens > 1 ? decode / (generatedTokens - 1) : 0);
    }

    public void Dispose() => Meter.Dispose();

    private static double Seconds(long from, long to) => Math.Max(0, to - from) / (double)Stopwatch.Frequency;

    private static MetricCounter Finished(string reason) =>
        new("request_success", "Count of successfully processed requests.", "finished_reason", reason);

    private MetricHistogram Make(string name, string help, double[] bounds) => new(name, help, bounds, Meter);

    private void Publish()
    {
        foreach (MetricCounter counter in _counters.AsSpan(0, _counters.Length - _finished.Length))
        {
            Meter.CreateObservableCounter(MeterPrefix + counter.Name, () => counter.Value, null, counter.Help);
        }

        Meter.CreateObservableCounter(MeterPrefix + _finished[0].Name, ReadFinished, null, _finished[0].Help);
        foreach (MetricGauge gauge in _gauges)
        {
            Meter.CreateObservableGauge(MeterPrefix + gauge.Name, () => gauge.Value, null, gauge.Help);
        }
    }

    private IEnumerable<Measurement<long>> ReadFinished()
    {
        foreach (MetricCounter counter in _finished)
        {
            yield return new Measurement<long>(counter.Value, new KeyValuePair<string, object?>(counter.LabelName!, counter.LabelValue));
        }
    }
}
