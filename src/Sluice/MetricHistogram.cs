using System.Diagnostics.Metrics;

namespace Sluice;

/// <summary>
/// Counts of observations in fixed buckets, as Prometheus wants them. Lock-free: an observation is one interlocked increment
/// and one interlocked addition, so the engine loop never waits for a scrape.
/// </summary>
internal sealed class MetricHistogram
{
    private readonly double[] _bounds;
    private readonly long[] _counts;
    private readonly Histogram<double> _instrument;
    private double _sum;

    /// <param name="name">Name without the <c>vllm:</c> of the Prometheus text.</param>
    /// <param name="help">One line for people.</param>
    /// <param name="bounds">Upper bounds, inclusive, rising; one more bucket takes the rest.</param>
    /// <param name="meter">Where the observations are published too; free while nobody listens.</param>
    public MetricHistogram(string name, string help, double[] bounds, Meter meter)
    {
        Name = name;
        Help = help;
        _bounds = bounds;
        _counts = new long[bounds.Length + 1];
        _instrument = meter.CreateHistogram(
            EngineMetrics.MeterPrefix + name,
            name.EndsWith("_seconds", StringComparison.Ordinal) ? "s" : null,
            help,
            tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
    }

    public string Name { get; }

    public string Help { get; }

    /// <summary>Upper bounds of all buckets but the last, which has none.</summary>
    public ReadOnlySpan<double> Bounds => _bounds;

    public void Observe(double value)
    {
        int bucket = 0;
        while (bucket < _bounds.Length && value > _bounds[bucket])
        {
            bucket++;
        }

        Interlocked.Increment(ref _counts[bucket]);
        double seen = Volatile.Read(ref _sum);
        while (true)
        {
            double before = Interlocked.CompareExchange(ref _sum, seen + value, seen);
            if (before.Equals(seen))
            {
                break;
            }

            seen = before;
        }

        if (_instrument.Enabled)
        {
            _instrument.Record(value);
        }
    }

    /// <summary>
    /// Copies the counts, each with those of the buckets before it. The last is the total, so that the total and the buckets of
    /// one answer always agree; the sum may be some observations ahead or behind.
    /// </summary>
    /// <param name="cumulative">One more than <see cref="Bounds"/>.</param>
    /// <returns>Sum of the observed values.</returns>
    public double Read(Span<long> cumulative)
    {
        long total = 0;
        for (int bucket = 0; bucket < _counts.Length; bucket++)
        {
            total += Volatile.Read(ref _counts[bucket]);
            cumulative[bucket] = total;
        }

        return Volatile.Read(ref _sum);
    }
}
