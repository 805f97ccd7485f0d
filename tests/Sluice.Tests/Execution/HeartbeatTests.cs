using Sluice.Execution;

namespace Sluice.Tests.Execution;

public sealed class HeartbeatTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void IsBeating_Idle_StaysTrue()
    {
        var heartbeat = new Heartbeat(_time);
        _time.Advance(100_000);
        Assert.True(heartbeat.IsBeating());
    }

    [Fact]
    public void IsBeating_StepHangs_TurnsFalseAfterThirtySeconds()
    {
        var heartbeat = new Heartbeat(_time);
        heartbeat.OnHandedOver(5);
        _time.Advance(29.9);
        Assert.True(heartbeat.IsBeating());
        _time.Advance(0.2);
        Assert.False(heartbeat.IsBeating());
        heartbeat.OnDone(5, TimeSpan.FromSeconds(30));
        Assert.True(heartbeat.IsBeating());
        Assert.Equal(1, heartbeat.StepCount);
    }

    [Fact]
    public void IsBeating_StepHangsOnAGpu_TurnsFalseAfterTenSeconds()
    {
        Heartbeat heartbeat = Heartbeat.ForGpu(_time);
        heartbeat.OnHandedOver(1);
        heartbeat.OnDone(1, TimeSpan.FromSeconds(0.02));
        heartbeat.OnHandedOver(8192);
        _time.Advance(9.9);
        Assert.True(heartbeat.IsBeating());
        _time.Advance(0.2);
        Assert.False(heartbeat.IsBeating());
    }

    [Fact]
    public void IsBeating_QueuedStepBehindADoneOne_CountsFromTheDoneOne()
    {
        var heartbeat = new Heartbeat(_time);
        heartbeat.OnHandedOver(1);
        heartbeat.OnHandedOver(1);
        _time.Advance(25);
        heartbeat.OnDone(1, TimeSpan.FromSeconds(0.01));
        _time.Advance(25);
        Assert.True(heartbeat.IsBeating());
        _time.Advance(6);
        Assert.False(heartbeat.IsBeating());
    }

    [Fact]
    public void IsBeating_SlowSteps_WaitTenTimesAsLong()
    {
        var heartbeat = new Heartbeat(_time);
        for (int i = 0; i < 20; i++)
        {
            heartbeat.OnHandedOver(1000);
            heartbeat.OnDone(1000, TimeSpan.FromSeconds(8));
        }

        heartbeat.OnHandedOver(1000);
        _time.Advance(79);
        Assert.True(heartbeat.IsBeating());
        _time.Advance(2);
        Assert.False(heartbeat.IsBeating());
    }

    [Fact]
    public void IsBeating_LargeFirstStep_IsJudgedByTheRateOfTheWarmUp()
    {
        var heartbeat = new Heartbeat(_time, warmUpSecondsPerToken: 0.1);
        heartbeat.OnHandedOver(2048);
        _time.Advance(409);
        Assert.True(heartbeat.IsBeating());
        _time.Advance(1);
        Assert.False(heartbeat.IsBeating());
    }
}
