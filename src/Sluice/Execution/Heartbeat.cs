namespace Sluice.Execution;

/// <summary>
/// Tells a device that computes from one that hangs, by steps that end and not by a flag that says so. Stalled means: a step
/// is on its way for longer than 30 s (10 s on a GPU), ten times the slow steps of late, and twice what so many tokens take at the slow
/// rates of late (a 2048-token prefill of a large model on two cores takes minutes, and is no fault). Idle is healthy.
/// Written by the engine loop, read by anybody.
/// </summary>
internal sealed class Heartbeat
{
    private const int RecentStepCount = 512;

    /// <summary>No step of a GPU takes longer: a full one of a large model takes a second or two, and code may still have to be compiled.</summary>
    public static readonly TimeSpan GpuThreshold = TimeSpan.FromSeconds(10);

    /// <summary>The same for a CPU that may be busy with others' work.</summary>
    public static readonly TimeSpan CpuThreshold = TimeSpan.FromSeconds(30);

    private readonly double _leastSeconds;
    private readonly Lock _gate = new();
    private readonly double[] _recentSeconds = new double[RecentStepCount];
    private readonly double[] _recentSecondsPerToken = new double[RecentStepCount];
    private readonly TimeProvider _time;
    private long _stepCount;
    private long _waitingSince;
    private int _tokensInFlight;

    /// <param name="time">Clock.</param>
    /// <param name="warmUpSecondsPerToken">What a token took in the warm-up: the first entry of the recent rates.</param>
    /// <param name="leastThreshold">A step that takes no longer is never called stalled; 30 s unless given.</param>
    public Heartbeat(TimeProvider time, double warmUpSecondsPerToken = 0, TimeSpan? leastThreshold = null)
    {
        _time = time;
        _leastSeconds = (leastThreshold ?? CpuThreshold).TotalSeconds;
        _recentSecondsPerToken[^1] = warmUpSecondsPerToken;
    }

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

            double seconds = Math.Max(10 * Slow(_recentSeconds), 2 * _tokensInFlight * Slow(_recentSecondsPerToken));
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
