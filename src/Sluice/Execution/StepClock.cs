using System.Diagnostics;

namespace Sluice.Execution;

/// <summary>
/// Adds up for how long steps were on the device, and for how long none was though sequences were ready: what the host costs.
/// Seen from the host, so a step that was queued in time counts as following at once. Written by the engine loop, read by anybody.
/// </summary>
internal sealed class StepClock
{
    private long _lastFinished;
    private bool _wasWorkLeft;
    private long _stepTicks;
    private long _gapTicks;

    /// <summary>Time with a step on the device.</summary>
    public double StepSeconds => Volatile.Read(ref _stepTicks) / (double)Stopwatch.Frequency;

    /// <summary>Time without one between a step and the next, where the first left sequences that were to go on.</summary>
    public double GapSeconds => Volatile.Read(ref _gapTicks) / (double)Stopwatch.Frequency;

    /// <summary>A step is done, after all before it.</summary>
    /// <returns>Time that it took, without the time that it was queued behind another.</returns>
    public TimeSpan OnDone(EngineStep step)
    {
        long start = Math.Max(step.LaunchedAt, _lastFinished);
        Volatile.Write(ref _stepTicks, _stepTicks + step.FinishedAt - start);
        if (_wasWorkLeft)
        {
            Volatile.Write(ref _gapTicks, _gapTicks + start - _lastFinished);
        }

        _lastFinished = step.FinishedAt;
        return Stopwatch.GetElapsedTime(start, step.FinishedAt);
    }

    /// <summary>The results of the step are applied: whether sequences are ready to go on.</summary>
    public void OnApplied(bool isWorkLeft) => _wasWorkLeft = isWorkLeft;
}
