using Sluice.Requests;
using Sluice.Scheduling;
using Sluice.Tests.Execution;

namespace Sluice.Tests.Scheduling;

public sealed class EngineFaultTests
{
    private static int[] Prompt(int salt) => [.. Enumerable.Range(0, 15).Select(i => 10 + ((i * 7 + salt * 131) % 900))];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_ErrorOfOneItem_EndsThatRequestOnly(bool async)
    {
        using var engine = new EngineHarness(async: async);
        int[] bad = Prompt(99);
        engine.Runner.ItemError = (plan, item) =>
            plan.Sequences[item].Prompt.AsSpan().SequenceEqual(bad) && plan.ContextLengths[item] > 20 ? "not a number" : null;
        Task<Answer>[] good = [.. Enumerable.Range(0, 5).Select(i => engine.RunAsync(Prompt(i), 40, i))];
        Answer failed = await engine.RunAsync(bad, 40);
        Assert.Equal((FinishReason.Error, "not a number"), (failed.FinishReason, failed.Error));
        Assert.Equal(EchoModel.Generate(bad, 1, 6), failed.TokenIds);
        for (int i = 0; i < good.Length; i++)
        {
            Assert.Equal(EchoModel.Generate(Prompt(i), i, 40), (await good[i]).TokenIds);
        }

        Assert.Equal(1, engine.Metrics.RequestSuccess(FinishReason.Error).Value);
        Assert.True(engine.Loop.IsHealthy);
        await engine.ExpectIdleAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_StepThrows_FailsItsRequestsAndTheLoopGoesOn(bool async)
    {
        using var engine = new EngineHarness(async: async);
        engine.Runner.BeforeStep = _ =>
        {
            if (engine.Runner.StepCount is 0 or 20)
            {
                engine.Runner.BeforeStep = plan => engine.Runner.BeforeStep = null;
                throw new InvalidOperationException("a kernel failed at /secret/path");
            }
        };
        Answer failed = await engine.RunAsync(Prompt(1), 40);
        Assert.Equal(FinishReason.Error, failed.FinishReason);
        Assert.DoesNotContain("secret", failed.Error, StringComparison.Ordinal);
        Assert.Single(engine.Faults);

        // What the failed step should have computed must not be found in the cache.
        Answer again = await engine.RunAsync(Prompt(1), 40);
        Assert.Equal(0, again.CachedTokenCount);
        Assert.Equal(EchoModel.Generate(Prompt(1), 1, 40), again.TokenIds);
        Assert.True(engine.Loop.IsHealthy);
        await engine.ExpectIdleAsync();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Run_EveryThirtiethStepThrows_EveryRequestStillEndsOnce(bool deferred, bool atFinish)
    {
        using var engine = new EngineHarness(blockCount: 60, maxSequences: 6, deferred: deferred);
        int steps = 0;
        void Fault(BatchPlan plan)
        {
            if (++steps % 30 == 0)
            {
                throw new InvalidOperationException();
            }
        }

        if (atFinish)
        {
            engine.Runner.BeforeFinish = Fault;
        }
        else
        {
            engine.Runner.BeforeStep = Fault;
        }

        Answer[] answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => engine.RunAsync(Prompt(i % 9), 30, i)));
        for (int i = 0; i < answers.Length; i++)
        {
            List<int> expected = EchoModel.Generate(Prompt(i % 9), i, 30);
            Assert.Equal(expected[..answers[i].TokenIds.Count], answers[i].TokenIds);
            Assert.True(answers[i].FinishReason == FinishReason.Error || answers[i].TokenIds.Count == expected.Count);
        }

        Assert.Contains(answers, answer => answer.FinishReason == FinishReason.Error);
        Assert.Contains(answers, answer => answer.FinishReason != FinishReason.Error);
        await engine.ExpectIdleAsync();
    }

    [Fact]
    public async Task Run_StepHangs_TurnsTheEngineUnhealthyUntilItEnds()
    {
        var time = new ManualTime();
        using var gate = new ManualResetEventSlim();
        using var engine = new EngineHarness(time: time);
        using var entered = new ManualResetEventSlim();
        engine.Runner.BeforeStep = _ =>
        {
            entered.Set();
            gate.Wait();
        };
        time.Advance(10_000);
        Assert.True(engine.Loop.IsHealthy);
        Task<Answer> answer = engine.RunAsync(Prompt(1), 5);
        entered.Wait(TestContext.Current.CancellationToken);
        time.Advance(29);
        Assert.True(engine.Loop.IsHealthy);
        time.Advance(2);
        Assert.False(engine.Loop.IsHealthy);
        gate.Set();
        Assert.Equal(5, (await answer).TokenIds.Count);
        Assert.True(engine.Loop.IsHealthy);
    }

    [Fact]
    public async Task Run_ResultsHang_TurnsTheEngineUnhealthyUntilTheyCome()
    {
        var time = new ManualTime();
        using var gate = new ManualResetEventSlim();
        using var entered = new ManualResetEventSlim();
        using var engine = new EngineHarness(time: time, deferred: true);
        engine.Runner.BeforeFinish = _ =>
        {
            entered.Set();
            gate.Wait();
        };
        Task<Answer> answer = engine.RunAsync(Prompt(1), 5);
        entered.Wait(TestContext.Current.CancellationToken);
        time.Advance(31);
        Assert.False(engine.Loop.IsHealthy);
        gate.Set();
        Assert.Equal(5, (await answer).TokenIds.Count);
        Assert.True(engine.Loop.IsHealthy);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Run_DeviceBreaks_EverythingEndsAndTheEngineIsUnhealthy(bool deferred, bool atFinish)
    {
        using var engine = new EngineHarness(deferred: deferred);
        Task<Answer>[] answers = [.. Enumerable.Range(0, 20).Select(i => engine.RunAsync(Prompt(i), 10_000, i))];
        Assert.False(engine.Loop.Broken.IsCompleted);
        engine.Runner.IsDeviceBroken = true;
        if (atFinish)
        {
            engine.Runner.BeforeFinish = _ => throw new InvalidOperationException();
        }
        else
        {
            engine.Runner.BeforeStep = _ => throw new InvalidOperationException();
        }

        foreach (Task<Answer> answer in answers)
        {
            Assert.Contains((await answer).FinishReason!.Value, new[] { FinishReason.Error, FinishReason.Stop });
        }

        await engine.Loop.Broken.WaitAsync(TestContext.Current.CancellationToken);
        Assert.NotNull(engine.Loop.Fault);
        Assert.Single(engine.Faults);
        Assert.False(engine.Loop.IsHealthy);
        Assert.Equal(0, engine.Loop.ActiveCount);
        Assert.Equal(500, Assert.Throws<RequestValidationException>(() => engine.Submit(Prompt(1), 3)).StatusCode);
    }
}
