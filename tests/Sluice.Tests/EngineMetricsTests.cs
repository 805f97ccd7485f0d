using System.Diagnostics;
using System.Diagnostics.Metrics;
using Sluice.Requests;

namespace Sluice.Tests;

public sealed class EngineMetricsTests
{
    private static readonly long Second = Stopwatch.Frequency;

    [Fact]
    public void OnFinished_WholeLife_ObservesEveryStageOnce()
    {
        using var metrics = new EngineMetrics(2048);
        RequestTimings timings = new() { Arrived = 10 * Second };
        metrics.OnRequestArrived(2, 16);
        metrics.OnScheduled(ref timings, 11 * Second);
        metrics.OnScheduled(ref timings, 12 * Second);
        metrics.OnPromptComputed(100, 32);
        metrics.OnTokens(ref timings, 1, 13 * Second);
        metrics.OnTokens(ref timings, 1, 14 * Second);
        metrics.OnTokens(ref timings, 1, 17 * Second);
        metrics.OnFinished(timings, FinishReason.Length, 100, 3, 18 * Second);

        Assert.Equal((1, 1.0), Total(metrics.QueueTime));
        Assert.Equal((1, 3.0), Total(metrics.TimeToFirstToken));
        Assert.Equal((2, 4.0), Total(metrics.InterTokenLatency));
        Assert.Equal((1, 2.0), Total(metrics.PrefillTime));
        Assert.Equal((1, 4.0), Total(metrics.DecodeTime));
        Assert.Equal((1, 6.0), Total(metrics.InferenceTime));
        Assert.Equal((1, 8.0), Total(metrics.EndToEndLatency));
        Assert.Equal((1, 2.0), Total(metrics.TimePerOutputToken));
        Assert.Equal((1, 2.0), Total(metrics.RequestN));
        Assert.Equal((1, 16.0), Total(metrics.RequestMaxTokens));
        Assert.Equal(3, metrics.GenerationTokens.Value);
        Assert.Equal(100, metrics.PromptTokens.Value);
        Assert.Equal(32, metrics.PromptTokensCached.Value);
        Assert.Equal(1, metrics.RequestSuccess(FinishReason.Length).Value);
        Assert.Equal(0, metrics.RequestSuccess(FinishReason.Stop).Value);
    }

    [Fact]
    public void OnFinished_NeverScheduled_ObservesNoRunningStage()
    {
        using var metrics = new EngineMetrics(2048);
        RequestTimings timings = new() { Arrived = Second };
        metrics.OnFinished(timings, FinishReason.Abort, 5, 0, 2 * Second);
        Assert.Equal((1, 1.0), Total(metrics.EndToEndLatency));
        Assert.Equal((0, 0.0), Total(metrics.PrefillTime));
        Assert.Equal((0, 0.0), Total(metrics.QueueTime));
    }

    [Fact]
    public void Observe_ValueOnBound_FallsIntoThatBucket()
    {
        using var meter = new Meter("test");
        var histogram = new MetricHistogram("h", "", [1, 2], meter);
        histogram.Observe(1);
        histogram.Observe(1.5);
        histogram.Observe(9);
        long[] cumulative = new long[3];
        Assert.Equal(11.5, histogram.Read(cumulative));
        Assert.Equal([1, 2, 3], cumulative);
    }

    [Fact]
    public void Observe_ManyThreads_LosesNothing()
    {
        using var meter = new Meter("test");
        var histogram = new MetricHistogram("h", "", [1, 2], meter);
        Parallel.For(0, 8, _ =>
        {
            for (int i = 0; i < 1000; i++)
            {
                histogram.Observe(1);
            }
        });
        Assert.Equal((8000, 8000.0), Total(histogram));
    }

    [Fact]
    public void OneTwoFive_MaxBetweenSteps_EndsBelowIt() =>
        Assert.Equal([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], MetricBuckets.OneTwoFive(2048));

    [Fact]
    public void Meter_Listener_SeesCountersGaugesAndHistograms()
    {
        using var metrics = new EngineMetrics(2048);
        metrics.SetGauges(() => new EngineGauges(3, 4, 5, 0.5, 0.25));
        Dictionary<string, double> seen = [];
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            // Other engines of the process publish under the same meter name.
            if (ReferenceEquals(instrument.Meter, metrics.Meter))
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Keep(instrument, value));
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => Keep(instrument, value));
        listener.Start();
        metrics.OnPromptComputed(7, 0);
        metrics.OnStep(11);
        listener.RecordObservableInstruments();

        Assert.Equal(7, seen["sluice.prompt_tokens"]);
        Assert.Equal(11, seen["sluice.iteration_tokens_total"]);
        Assert.Equal(3, seen["sluice.num_requests_running"]);
        Assert.Equal(0.5, seen["sluice.kv_cache_usage_perc"]);
        Assert.Equal(0.25, seen["sluice.cpu_cache_usage_perc"]);

        void Keep(Instrument instrument, double value)
        {
            lock (seen)
            {
                seen[instrument.Name] = value;
            }
        }
    }

    private static (long Count, double Sum) Total(MetricHistogram histogram)
    {
        long[] cumulative = new long[histogram.Bounds.Length + 1];
        double sum = histogram.Read(cumulative);
        return (cumulative[^1], sum);
    }
}
