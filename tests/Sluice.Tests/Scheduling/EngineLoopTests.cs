using Sluice.Requests;
using Sluice.Tests.Execution;

namespace Sluice.Tests.Scheduling;

public sealed class EngineLoopTests
{
    private static int[] Prompt(int length, int salt = 0) => [.. Enumerable.Range(0, length).Select(i => 10 + ((i * 7 + salt * 131) % 900))];

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Submit_OneRequest_AnswersAsTheModelDoes(bool async, bool prefixCache)
    {
        using var engine = new EngineHarness(async: async, prefixCache: prefixCache);
        foreach (int length in (int[])[1, 3, 4, 5, 63, 64, 65, 200])
        {
            int[] prompt = Prompt(length);
            Answer answer = await engine.RunAsync(prompt, 50);
            Assert.Equal(EchoModel.Generate(prompt, 1, 50), answer.TokenIds);
            Assert.Equal(answer.TokenIds.Count == 50 ? FinishReason.Length : FinishReason.Stop, answer.FinishReason);
        }

        await engine.ExpectIdleAsync();
    }

    [Theory]
    [InlineData(true, 7)]
    [InlineData(true, 64)]
    [InlineData(false, 64)]
    public async Task Submit_KvForThreeOfSixtyFour_AnswersAreThoseOfTheUnconstrainedRun(bool async, int maxTokens)
    {
        // 64 sequences of up to 80 tokens need 20 blocks each; there are 62.
        using var engine = new EngineHarness(blockCount: 62, maxTokens: maxTokens, maxSequences: 64, async: async);
        Task<Answer>[] answers = [.. Enumerable.Range(0, 64).Select(i => engine.RunAsync(Prompt(20, i), 60, seed: i))];
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.Equal(EchoModel.Generate(Prompt(20, i), i, 60), (await answers[i]).TokenIds);
        }

        Assert.True(engine.Loop.Snapshot().Preemptions > 0);
        await engine.ExpectIdleAsync();
    }

    [Fact]
    public async Task Submit_SamePrefix_HitsTheCacheOnlyWithTheSameSalt()
    {
        using var engine = new EngineHarness();
        int[] prompt = Prompt(16);
        int expectedHits = 12; // the block with the last token is computed again
        (string? Salt, int Hits)[] cases = [(null, 0), (null, expectedHits), ("a", 0), ("a", expectedHits), ("b", 0), (null, expectedHits)];
        for (int i = 0; i < cases.Length; i++)
        {
            GenerationRequest request = EngineHarness.Request(prompt, 5, $"salt{i}") with { CacheSalt = cases[i].Salt };
            Answer answer = (await EngineHarness.ReadAsync(engine.Submit(request)))[0];
            Assert.Equal(cases[i].Hits, answer.CachedTokenCount);
            Assert.Equal(EchoModel.Generate(prompt, 1, 5), answer.TokenIds);
        }

        Assert.Equal(6 * 16, engine.Metrics.PrefixCacheQueries.Value);
        Assert.Equal(3 * 12, engine.Metrics.PrefixCacheHits.Value);
    }

    [Fact]
    public async Task Submit_ManyChoices_ComputesThePromptOnce()
    {
        using var engine = new EngineHarness(maxSequences: 4);
        int[] prompt = Prompt(101);
        Answer[] answers = await EngineHarness.ReadAsync(engine.Submit(prompt, 1, seed: 9, n: 6), 6);
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.Equal(EchoModel.Generate(prompt, 9 + i, 1), answers[i].TokenIds);
            Assert.Equal(i == 0 ? 0 : 100, answers[i].CachedTokenCount);
        }

        Assert.Equal(101 + 5, engine.Runner.RowCount);
        await engine.ExpectIdleAsync();
    }

    [Fact]
    public async Task Submit_PromptLogprobs_BypassTheCacheAndCoverThePromptOnce()
    {
        using var engine = new EngineHarness(maxTokens: 8);
        int[] prompt = Prompt(30);
        await engine.RunAsync(prompt, 3);
        GenerationRequest request = EngineHarness.Request(prompt, 3, "scored", n: 3);
        request = request with { Sampling = request.Sampling with { PromptLogprobs = 0 } };
        Answer[] answers = await EngineHarness.ReadAsync(engine.Submit(request), 3);
        Assert.Equal([0, 28, 28], answers.Select(answer => answer.CachedTokenCount));
        foreach (Answer answer in answers)
        {
            Assert.Equal(30, answer.PromptLogprobs!.Count);
            Assert.Null(answer.PromptLogprobs[0]);
            for (int i = 1; i < 30; i++)
            {
                Assert.Equal(new TokenLogprob(prompt[i], 1 - i, 1), answer.PromptLogprobs[i]!.Chosen);
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Submit_StopTokens_EndWithTheirId(bool async)
    {
        using var engine = new EngineHarness(async: async);
        int[] prompt = Prompt(9);
        List<int> free = EchoModel.Generate(prompt, 1, 40, ignoreEos: true);
        int stop = free[10];
        GenerationRequest request = EngineHarness.Request(prompt, 40, "stop");
        request = request with { Sampling = request.Sampling with { IgnoreEos = true, StopTokenIds = [stop] } };
        Answer answer = (await EngineHarness.ReadAsync(engine.Submit(request)))[0];
        Assert.Equal(free[..(free.IndexOf(stop) + 1)], answer.TokenIds);
        Assert.Equal((FinishReason.Stop, stop), (answer.FinishReason, answer.StopTokenId));

        request = request with { Id = "min", Sampling = request.Sampling with { MinTokens = 39 } };
        answer = (await EngineHarness.ReadAsync(engine.Submit(request)))[0];
        Assert.True(answer.TokenIds.Count >= 39);
    }

    [Fact]
    public async Task Abort_RandomMoments_LeavesNothingBehind()
    {
        // 10,000 requests of which each is aborted somewhere: in the queue, in its prompt, in its output, at its end.
        using var engine = new EngineHarness(blockCount: 120, maxTokens: 32, maxSequences: 16);
        var random = new Random(20260101);
        for (int round = 0; round < 100; round++)
        {
            var streams = new List<RequestStream>();
            for (int i = 0; i < 100; i++)
            {
                streams.Add(engine.Submit(Prompt(1 + random.Next(60), random.Next(5)), 1 + random.Next(40), i, n: 1 + random.Next(2)));
                if (random.Next(3) == 0)
                {
                    streams[random.Next(streams.Count)].Abort();
                }
            }

            foreach (RequestStream stream in streams)
            {
                if (random.Next(2) == 0)
                {
                    await stream.DisposeAsync();
                }
                else
                {
                    stream.Abort();
                }
            }
        }

        await engine.ExpectIdleAsync();
        long ended = Enum.GetValues<FinishReason>().Sum(reason => engine.Metrics.RequestSuccess(reason).Value);
        Assert.InRange(ended, 10_000, 20_000);
        int[] prompt = Prompt(20);
        Assert.Equal(EchoModel.Generate(prompt, 3, 20), (await engine.RunAsync(prompt, 20, 3)).TokenIds);
    }

    [Fact]
    public async Task Abort_WhileOthersRun_DoesNotTouchThem()
    {
        using var engine = new EngineHarness(blockCount: 100, maxSequences: 16);
        var random = new Random(5);
        Task<Answer>[] kept = [.. Enumerable.Range(0, 12).Select(i => engine.RunAsync(Prompt(15, i), 60, i))];
        for (int i = 0; i < 300; i++)
        {
            RequestStream stream = engine.Submit(Prompt(1 + random.Next(40), i % 7), 50, i);
            await Task.Yield();
            stream.Abort();
        }

        for (int i = 0; i < kept.Length; i++)
        {
            Assert.Equal(EchoModel.Generate(Prompt(15, i), i, 60), (await kept[i]).TokenIds);
        }

        await engine.ExpectIdleAsync();
    }

    [Fact]
    public async Task Dispose_WhileRunning_EndsEveryStream()
    {
        var engine = new EngineHarness();
        Task<Answer>[] answers = [.. Enumerable.Range(0, 20).Select(i => engine.RunAsync(Prompt(15, i), 100_000, i))];
        engine.Dispose();
        foreach (Task<Answer> answer in answers)
        {
            Assert.Contains((await answer).FinishReason!.Value, new[] { FinishReason.Abort, FinishReason.Stop, FinishReason.Length });
        }

        Assert.True(engine.Runner.IsDisposed);
        Assert.Throws<RequestValidationException>(() => engine.Submit(Prompt(3), 3));
    }

    [Fact]
    public void Submit_SameIdTwice_IsRefused()
    {
        using var engine = new EngineHarness();
        using var gate = new ManualResetEventSlim();
        engine.Runner.BeforeStep = _ => gate.Wait();
        engine.Submit(EngineHarness.Request(Prompt(3), 5, "twice"));
        var refusal = Assert.Throws<RequestValidationException>(() => engine.Submit(EngineHarness.Request(Prompt(3), 5, "twice")));
        Assert.Equal("Request id twice already running.", refusal.Message);
        gate.Set();
    }

    [Fact]
    public async Task DrainAsync_RunningRequests_FinishAndNewOnesAreRefused()
    {
        using var engine = new EngineHarness();
        int[] prompt = Prompt(10);
        Task<Answer> answer = engine.RunAsync(prompt, 200);
        Task drained = engine.Loop.DrainAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(503, Assert.Throws<RequestValidationException>(() => engine.Submit(prompt, 3)).StatusCode);
        await drained;
        Assert.Equal(EchoModel.Generate(prompt, 1, 200), (await answer).TokenIds);
    }
}
