namespace Sluice.Server.Metrics;

/// <summary>The engine's counters, gauges and histograms under vLLM's names.</summary>
internal static class EngineMetricsText
{
    private const string Prefix = "vllm:";

    /// <summary>Names that vLLM has retired but that dashboards still ask for, and what they are called now.</summary>
    private static readonly (string Old, string Present)[] OldGauges = [("gpu_cache_usage_perc", "kv_cache_usage_perc")];

    private static readonly (string Old, string Present)[] OldCounters =
        [("gpu_prefix_cache_queries", "prefix_cache_queries"), ("gpu_prefix_cache_hits", "prefix_cache_hits")];

    private static readonly (string Old, string Present)[] OldHistograms =
        [("time_per_output_token_seconds", "inter_token_latency_seconds"), ("time_in_queue_requests", "request_queue_time_seconds")];

    public static void Write(PrometheusText text, EngineMetrics metrics, string modelName, bool showHidden)
    {
        string labels = $"engine=\"0\",model_name=\"{PrometheusText.Escape(modelName)}\"";
        foreach (MetricGauge gauge in metrics.Gauges)
        {
            Gauge(text, gauge.Name, gauge, labels);
        }

        WriteCacheConfig(text, metrics, labels);
        string? family = null;
        foreach (MetricCounter counter in metrics.Counters)
        {
            Counter(text, counter.Name, counter, labels, isFirst: counter.Name != family);
            family = counter.Name;
        }

        foreach (MetricHistogram histogram in metrics.Histograms)
        {
            Histogram(text, histogram.Name, histogram, labels);
        }

        if (showHidden)
        {
            WriteHidden(text, metrics, labels);
        }
    }

    private static void WriteHidden(PrometheusText text, EngineMetrics metrics, string labels)
    {
        foreach ((string old, string present) in OldGauges)
        {
            Gauge(text, old, metrics.Gauges.First(gauge => gauge.Name == present), labels);
        }

        foreach ((string old, string present) in OldCounters)
        {
            Counter(text, old, metrics.Counters.First(counter => counter.Name == present), labels, isFirst: true);
        }

        foreach ((string old, string present) in OldHistograms)
        {
            Histogram(text, old, metrics.Histograms.First(histogram => histogram.Name == present), labels);
        }
    }

    private static void WriteCacheConfig(PrometheusText text, EngineMetrics metrics, string labels)
    {
        text.Family(Prefix + "cache_config_info", "gauge", "Information of the KV cache's configuration.");
        string config = string.Concat(
            metrics.CacheConfig.Select(pair => $",{pair.Key}=\"{PrometheusText.Escape(pair.Value)}\""));
        text.Sample(Prefix + "cache_config_info", labels + config, 1);
    }

    private static void Gauge(PrometheusText text, string name, MetricGauge gauge, string labels)
    {
        text.Family(Prefix + name, "gauge", gauge.Help);
        text.Sample(Prefix + name, labels, gauge.Value);
    }

    private static void Counter(PrometheusText text, string name, MetricCounter counter, string labels, bool isFirst)
    {
        string full = $"{Prefix}{name}_total";
        if (isFirst)
        {
            text.Family(full, "counter", counter.Help);
        }

        string own = counter.LabelName is null ? "" : $",{counter.LabelName}=\"{counter.LabelValue}\"";
        text.Sample(full, labels + own, counter.Value);
    }

    private static void Histogram(PrometheusText text, string name, MetricHistogram histogram, string labels)
    {
        text.Family(Prefix + name, "histogram", histogram.Help);
        long[] cumulative = new long[histogram.Bounds.Length + 1];
        double sum = histogram.Read(cumulative);
        text.Histogram(Prefix + name, labels, histogram.Bounds, cumulative, sum);
    }
}
