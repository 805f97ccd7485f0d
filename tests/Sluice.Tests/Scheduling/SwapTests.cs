using Sluice.KvCache;
using Sluice.Requests;
using Sluice.Scheduling;
using Sluice.Tests.Execution;

namespace Sluice.Tests.Scheduling;

/// <summary>Preempted sequences whose blocks move to host memory and back answer as if nothing had happened.</summary>
public sealed class SwapTests
{
    // Eight requests of 8 to 15 prompt tokens and 40 outputs want about 110 blocks of 4; there are 40.
    private const int Requests = 8;
    private const int Outputs = 40;

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Submit_MoreThanTheCacheHolds_SwapsAndAnswersExactly(bool async, bool prefixCache)
    {
        using var engine = new EngineHarness(blockCount: 40, async: async, prefixCache: prefixCache, swapBlocks: 200);
        await RunAllAsync(engine);
        EngineStats stats = engine.Loop.Snapshot();
        Assert.True(stats.SwapOuts > 0, "nothing was swapped");
        Assert.Equal(stats.Preemptions, stats.SwapOuts);
        Assert.Equal(200, stats.SwapBlocksTotal);
        if (!prefixCache)
        {
            // All that went out came back, and only generated and prompt tokens were computed: none twice.
            Assert.Equal(engine.Runner.MovedOutCount, engine.Runner.MovedInCount);
            Assert.Equal(Enumerable.Range(0, Requests).Sum(i => 8 + i + Outputs - 1), engine.Runner.RowCount);
        }
    }

    [Fact]
    public async Task Submit_ComputingAgainIsCheaper_NeverSwaps()
    {
        using var engine = new EngineHarness(blockCount: 40, swapBlocks: 200, alwaysSwap: false);
        await RunAllAsync(engine);
        EngineStats stats = engine.Loop.Snapshot();
        Assert.True(stats.Preemptions > 0);
        Assert.Equal((0L, 0L), (stats.SwapOuts, engine.Runner.MovedOutCount));
    }

    [Fact]
    public async Task Submit_SwapSpaceTooSmall_ComputesTheRestAgain()
    {
        using var engine = new EngineHarness(blockCount: 40, prefixCache: false, swapBlocks: 12);
        await RunAllAsync(engine);
        EngineStats stats = engine.Loop.Snapshot();
        Assert.True(stats.SwapOuts > 0 && stats.SwapOuts < stats.Preemptions, $"{stats.SwapOuts} of {stats.Preemptions} preemptions swapped");
    }

    [Fact]
    public async Task Submit_MemoryComesLater_ComputesAgainUntilThen()
    {
        using var engine = new EngineHarness(blockCount: 40, swapBlocks: 200, openSwapSpace: false);
        await RunAllAsync(engine);
        Assert.Equal((0L, 0), (engine.Loop.Snapshot().SwapOuts, engine.Loop.Snapshot().SwapBlocksTotal));
        engine.SwapSpace!.Open(200, new SwapCosts(0, 1));
        await RunAllAsync(engine);
        Assert.True(engine.Loop.Snapshot().SwapOuts > 0);
    }

    [Fact]
    public async Task Abort_WhileSwapped_FreesTheHostBlocks()
    {
        using var engine = new EngineHarness(blockCount: 40, prefixCache: false, swapBlocks: 200);
        RequestStream[] streams = [.. Enumerable.Range(0, Requests).Select(i => engine.Submit(Prompt(i), 100, seed: i))];
        Task[] readers = [.. streams.Select(stream => (Task)EngineHarness.ReadAsync(stream))];
        for (int i = 0; i < 1000 && engine.Loop.Snapshot().SwappedCount == 0; i++)
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        foreach (RequestStream stream in streams)
        {
            stream.Abort();
        }

        await Task.WhenAll(readers);
        await engine.ExpectIdleAsync();
    }

    [Fact]
    public async Task Submit_StepThatMovesOutFails_ComputesTheSwappedAgain()
    {
        using var engine = new EngineHarness(blockCount: 40, swapBlocks: 200);
        int failures = 0;
        engine.Runner.BeforeStep = plan =>
        {
            // Before any block was copied: whoever read them later would read what was there before.
            if (plan.MovesOut.Count > 0 && failures++ == 0)
            {
                throw new InvalidOperationException("test");
            }
        };
        Task<Answer>[] all = [.. Enumerable.Range(0, Requests).Select(i => engine.RunAsync(Prompt(i), Outputs, seed: i))];
        Answer[] answers = await Task.WhenAll(all);
        await engine.ExpectIdleAsync();
        Assert.True(failures > 0);
        Assert.Contains(answers, answer => answer.FinishReason == FinishReason.Error);
        for (int i = 0; i < Requests; i++)
        {
            if (answers[i].FinishReason != FinishReason.Error)
            {
                Assert.Equal(EchoModel.Generate(Prompt(i), i, Outputs), answers[i].TokenIds);
            }
        }
    }

    [Fact]
    public async Task Submit_PromptLogprobsWhileSwapping_ScoresEveryToken()
    {
        using var engine = new EngineHarness(blockCount: 24, maxTokens: 8, swapBlocks: 200);
        Task others = Task.WhenAll(Enumerable.Range(0, 4).Select(i => engine.RunAsync(Prompt(i), Outputs, seed: i)));
        int[] prompt = [.. Enumerable.Range(100, 40)];
        GenerationRequest request = EngineHarness.Request(prompt, 20, "scored") with { };
        request = request with { Sampling = request.Sampling with { PromptLogprobs = 0 } };
        Answer answer = (await EngineHarness.ReadAsync(engine.Submit(request)))[0];
        await others;
        await engine.ExpectIdleAsync();
        Assert.Equal(EchoModel.Generate(prompt, 1, 20), answer.TokenIds);
        Assert.Equal(prompt.Length, answer.PromptLogprobs!.Count);
        Assert.All(answer.PromptLogprobs.Skip(1), Assert.NotNull);
    }

    [Fact]
    public async Task Submit_SharedPrefix_LeavesItInTheCache()
    {
        using var engine = new EngineHarness(blockCount: 40, swapBlocks: 200);
        int[] shared = [.. Enumerable.Range(10, 32)];
        await engine.RunAsync(shared, 1);
        Task<Answer>[] all = [.. Enumerable.Range(0, 6).Select(i => engine.RunAsync([.. shared, 500 + i], Outputs, seed: i))];
        Answer[] answers = await Task.WhenAll(all);
        await engine.ExpectIdleAsync();
        for (int i = 0; i < answers.Length; i++)
        {
            Assert.Equal(EchoModel.Generate([.. shared, 500 + i], i, Outputs), answers[i].TokenIds);
        }

        // 8 of a sequence's blocks are the shared prefix: copying them as well would be 9 to 19 blocks a time.
        EngineStats stats = engine.Loop.Snapshot();
        Assert.True(stats.SwapOuts > 0);
        Assert.True(engine.Runner.MovedOutCount <= stats.SwapOuts * 11, $"{engine.Runner.MovedOutCount} blocks in {stats.SwapOuts} times");
    }

    private static int[] Prompt(int index) => [.. Enumerable.Range(0, 8 + index).Select(i => 10 + ((i * (index + 3)) % 90))];

    private static async Task RunAllAsync(EngineHarness engine)
    {
        Task<Answer>[] all =
        [
            .. Enumerable.Range(0, Requests).Select(async i =>
            {
                GenerationRequest request = EngineHarness.Request(Prompt(i), Outputs, $"{Guid.NewGuid()}", i);
                request = request with { Sampling = request.Sampling with { IgnoreEos = true } };
                return (await EngineHarness.ReadAsync(engine.Submit(request)))[0];
            }),
        ];
        Answer[] answers = await Task.WhenAll(all);
        await engine.ExpectIdleAsync();
        for (int i = 0; i < Requests; i++)
        {
            Assert.Equal(EchoModel.Generate(Prompt(i), i, Outputs, ignoreEos: true), answers[i].TokenIds);
        }

        Assert.Empty(engine.Faults);
    }
}
