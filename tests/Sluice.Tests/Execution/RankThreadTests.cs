using System.Collections.Concurrent;
using System.Diagnostics;
using Sluice.Execution;
using Sluice.Scheduling;

namespace Sluice.Tests.Execution;

public sealed class RankThreadTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void Enqueue_StepRunsOnTheDevice_NextIsLaunchedMeanwhile()
    {
        var device = new HeldRunner();
        using var rank = new RankThread(device, HeldRunner.Progressed);
        EngineStep first = Step();
        EngineStep second = Step();
        rank.Enqueue(first);
        rank.Enqueue(second);
        HeldRunner.Await(() => device.LaunchCount == 2);
        Assert.Equal(0, device.FinishCount);
        Assert.False(rank.TryTake(out _));
        Assert.True(first.IsForwarded && second.IsForwarded);
        device.Release(2);
        Assert.Same(first, Take(rank, device));
        Assert.Same(second, Take(rank, device));
        Assert.True(first.FinishedAt <= second.FinishedAt && second.LaunchedAt < first.FinishedAt);
    }

    [Fact]
    public void Enqueue_LaunchFailsBehindARunningStep_BothAreDoneInOrder()
    {
        var device = new HeldRunner { LaunchFault = 2 };
        using var rank = new RankThread(device, HeldRunner.Progressed);
        EngineStep first = Step();
        EngineStep second = Step();
        rank.Enqueue(first);
        rank.Enqueue(second);
        HeldRunner.Await(() => device.LaunchCount == 2);
        Assert.Equal(0, device.ProbeCount);
        device.Release(1);
        Assert.Same(first, Take(rank, device));
        Assert.Null(first.Result.Fault);
        Assert.Same(second, Take(rank, device));
        Assert.NotNull(second.Result.Fault);
        Assert.False(second.Result.IsBackendBroken);
        Assert.Equal(1, device.ProbeCount);

        // And the device is used on.
        rank.Enqueue(first);
        device.Release(1);
        Assert.Same(first, Take(rank, device));
        Assert.Null(first.Result.Fault);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Enqueue_BothHalvesFail_EachStepIsProbedOnTheRankThread(bool broken)
    {
        var device = new HeldRunner { FinishFault = 1, LaunchFault = 2, IsBroken = broken };
        using var rank = new RankThread(device, HeldRunner.Progressed);
        EngineStep first = Step();
        EngineStep second = Step();
        rank.Enqueue(first);
        rank.Enqueue(second);
        HeldRunner.Await(() => device.LaunchCount == 2);
        device.Release(1);
        foreach (EngineStep step in new[] { first, second })
        {
            Assert.Same(step, Take(rank, device));
            Assert.NotNull(step.Result.Fault);
            Assert.Equal(broken, step.Result.IsBackendBroken);
        }

        Assert.Equal(2, device.ProbeCount);
        Assert.Single(device.RankThreads.Distinct());
    }

    [Fact]
    public void Dispose_StepsInFlight_FinishesThemAndThenTheRunner()
    {
        var device = new HeldRunner();
        var rank = new RankThread(device, HeldRunner.Progressed);
        rank.Enqueue(Step());
        rank.Enqueue(Step());
        HeldRunner.Await(() => device.LaunchCount == 2);
        device.Release(2);
        rank.Dispose();
        Assert.Equal(2, device.FinishCount);
        Assert.True(device.IsDisposed);
    }

    [Fact]
    public void Dispose_DeviceHangs_ReturnsAllTheSame()
    {
        var device = new HeldRunner();
        var rank = new RankThread(device, HeldRunner.Progressed, disposeTimeout: TimeSpan.FromMilliseconds(50));
        rank.Enqueue(Step());
        HeldRunner.Await(() => device.LaunchCount == 1);
        rank.Dispose();
        Assert.False(device.IsDisposed);
        device.Release(1);
        HeldRunner.Await(() => device.IsDisposed);
    }

    private static EngineStep Step() => new(new BatchPlan(8, 2, 4), new StepResult(2));

    private static EngineStep Take(RankThread rank, HeldRunner device)
    {
        EngineStep? step = null;
        HeldRunner.Await(() => rank.TryTake(out step));
        return step!;
    }

    /// <summary>A device whose steps are done when the test says so; launches and probes are counted from 1.</summary>
    private sealed class HeldRunner : IStepRunner
    {
        private readonly SemaphoreSlim _released = new(0);
        private volatile bool _isDisposed;
        private volatile int _finishCount;
        private volatile int _launchCount;

        public int LaunchFault { get; init; }

        public int FinishFault { get; init; }

        public bool IsBroken { get; init; }

        public int LaunchCount => _launchCount;

        public int FinishCount => _finishCount;

        public int ProbeCount { get; private set; }

        public bool IsDisposed => _isDisposed;

        public ConcurrentQueue<int> RankThreads { get; } = new();

        public static void Progressed()
        {
        }

        public void Release(int steps) => _released.Release(steps);

        public static void Await(Func<bool> condition)
        {
            long start = Stopwatch.GetTimestamp();
            while (!condition())
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < Patience);
                Thread.Sleep(1);
            }
        }

        public bool Launch(BatchPlan plan, StepResult result, Action forwarded)
        {
            RankThreads.Enqueue(Environment.CurrentManagedThreadId);
            _launchCount++;
            if (_launchCount == LaunchFault)
            {
                throw new InvalidOperationException("launch");
            }

            forwarded();
            return false;
        }

        public void Finish(BatchPlan plan, StepResult result)
        {
            _released.Wait();
            _finishCount++;
            if (_finishCount == FinishFault)
            {
                throw new InvalidOperationException("finish");
            }
        }

        public void Probe()
        {
            RankThreads.Enqueue(Environment.CurrentManagedThreadId);
            ProbeCount++;
            if (IsBroken)
            {
                throw new InvalidOperationException("probe");
            }
        }

        public void Dispose() => _isDisposed = true;
    }
}
