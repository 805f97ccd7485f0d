namespace Sluice.Execution;

/// <summary>
/// Tells a device that computes from one that hangs, by steps that end and not by a flag that says so. Stalled means: a step
/// is on its way for longer than 30 s, ten times the slow steps of late, and twice what so many tokens take at the slow
/// rates of late (a 2048-token prefill of a large model on two cores takes minutes, and is no fault). On a GPU, where a full step
/// takes a second or two at most and many tokens hardly longer than one, it is 10 s or ten slow steps. Idle is healthy.
/// Written by the engine loop, read by anybody.
/// </summary>
internal sealed class Heartbeat
{
    private const int RecentStepCount = 512;
    private const double LeastThresholdSeconds = 30;
    private const double LeastGpuThresholdSeconds = 10;

    private readonly double _leastSeconds;
    private readonly bool _countsTokens;
    private readonly Lock _gate = new();
    private readonly double[] _recentSeconds = new double[RecentStepCount];
    private readonly double[] _recentSecondsPerToken = new double[RecentStepCount];
    private readonly TimeProvider _time;
    private long _stepCount;
    private long _waitingSince;
    private int _tokensInFlight;

    /// <param name="time">Clock.</param>
    /// <param name="warmUpSecondsPerToken">What a token took in the warm-up: the first entry of the recent rates.</param>
    public Heartbeat(TimeProvider time, double warmUpSecondsPerToken = 0)
        : this(time, LeastThresholdSeconds, countsTokens: true) => _recentSecondsPerToken[^1] = warmUpSecondsPerToken;

    private Heartbeat(TimeProvider time, double leastSeconds, bool countsTokens)
    {
        _time = time;
        _leastSeconds = leastSeconds;
        _countsTokens = countsTokens;
    }

    /// <summary>For a device that computes many tokens in hardly more time than one.</summary>
    public static Heartbeat ForGpu(TimeProvider time) => new(time, LeastGpuThresholdSeconds, countsTokens: false);

    /// <summary>Steps done so far.</summary>
    public long StepCount => Volatile.Read(ref _stepCount);

    /// <summary>A step was handed to the device.</summary>
    public void OnHandedOver(int tokenCount)
    {
        lock (_gate)
        {
            if (_tokensInFlight == 0)
            {
                _waitingSince = _time.GetTimestamp();
            }

            _tokensInFlight += tokenCount;
        }
    }

    /// <summary>A step came back.</summary>
    public void OnDone(int tokenCount, TimeSpan elapsed)
    {
        lock (_gate)
        {
            long entry = _stepCount % RecentStepCount;
            _recentSeconds[entry] = elapsed.TotalSeconds;
            _recentSecondsPerToken[entry] = elapsed.TotalSeconds / Math.Max(1, tokenCount);
            Volatile.Write(ref _stepCount, _stepCount + 1);
            _tokensInFlight -= tokenCount;
            _waitingSince = _time.GetTimestamp();
        }
    }

    /// <summary>False while a step takes longer than any reason for it.</summary>
    public bool IsBeating()
    {
        lock (_gate)
        {
            if (_tokensInFlight == 0)
            {
                return true;
            }

            double byTokens = _countsTokens ? 2 * _tokensInFlight * Slow(_recentSecondsPerToken) : 0;
            double seconds = Math.Max(10 * Slow(_recentSeconds), byTokens);
            return _time.GetElapsedTime(_waitingSince).TotalSeconds <= Math.Max(_leastSeconds, seconds);
        }
    }

    /// <summary>The 99th percentile; entries that no step has filled count as zero, as they are the smallest anyway.</summary>
    private static double Slow(double[] recent)
    {
        Span<double> sorted = stackalloc double[RecentStepCount];
        recent.CopyTo(sorted);
        sorted.Sort();
        int filled = RecentStepCount - sorted.LastIndexOf(0.0) - 1;
        return filled == 0 ? 0 : sorted[RecentStepCount - 1 - (filled / 100)];
    }
}
