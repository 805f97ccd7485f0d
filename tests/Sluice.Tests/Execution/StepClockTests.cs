using System.Diagnostics;
using Sluice.Execution;
using Sluice.Scheduling;

namespace Sluice.Tests.Execution;

public sealed class StepClockTests
{
    // Less than a tick of the clock.
    private const double Tolerance = 1e-6;

    private readonly StepClock _clock = new();

    [Fact]
    public void OnDone_StepsThatOverlap_LeaveNoGap()
    {
        Assert.Equal(1, Done(10, 11), Tolerance);
        Assert.Equal(2, Done(10.5, 13), Tolerance);
        Assert.Equal((3.0, 0.0), (Math.Round(_clock.StepSeconds, 6), _clock.GapSeconds));
    }

    [Fact]
    public void OnDone_HostIsLate_TheGapCounts()
    {
        Done(10, 11);
        Done(11.25, 12);
        Assert.Equal(1.75, _clock.StepSeconds, Tolerance);
        Assert.Equal(0.25, _clock.GapSeconds, Tolerance);
    }

    [Fact]
    public void OnDone_NothingWasToBeDone_NoGapCounts()
    {
        Done(10, 11, isWorkLeft: false);
        Done(50, 51);
        Assert.Equal(0, _clock.GapSeconds);
        Assert.Equal(2, _clock.StepSeconds, Tolerance);
    }

    private double Done(double launched, double finished, bool isWorkLeft = true)
    {
        var step = new EngineStep(new BatchPlan(1, 1, 4), new StepResult(1))
        {
            LaunchedAt = (long)(launched * Stopwatch.Frequency),
            FinishedAt = (long)(finished * Stopwatch.Frequency),
        };
        double seconds = _clock.OnDone(step).TotalSeconds;
        _clock.OnApplied(isWorkLeft);
        return seconds;
    }
}
