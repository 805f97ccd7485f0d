using Sluice.Requests;

namespace Sluice.Tests.Execution;

/// <summary>
/// The engine on a device that works by itself: steps overlap, and whatever runs ahead of what, answers are those of the processor
/// to the bit, with captured graphs and without.
/// </summary>
public sealed class QueuedEngineTests
{
    private const int OutputCount = 12;

    private static readonly EngineOptions Options = new()
    {
        Model = TestData.ReferenceModel("llama"),
        SkipTokenizerInit = true,
        MaxModelLen = 96,
        CpuThreads = 1,
    };

    public static TheoryData<bool, bool, bool> Modes => new(
        from enforceEager in new[] { false, true }
        from asyncScheduling in new[] { false, true }
        from slow in new[] { false, true }
        select (enforceEager, asyncScheduling, slow));

    [Theory]
    [MemberData(nameof(Modes))]
    public async Task Submit_ManyRequests_SameBitsAsOnTheProcessor(bool enforceEager, bool asyncScheduling, bool slow)
    {
        int[][] prompts = EngineRun.Prompts(32, 256);
        string[] expected = await ExpectedAsync(prompts);
        var device = new QueuedBackend();
        await using LlmEngine engine = LlmEngine.Load(Options with { EnforceEager = enforceEager, AsyncScheduling = asyncScheduling }, device);
        Assert.Equal(enforceEager ? 0 : GraphCount(engine), device.CaptureCount);
        if (slow)
        {
            device.BeforeFence = () => Thread.Sleep(3);
        }

        int waits = device.SynchronizeCount;
        int allocations = device.AllocationCount;
        Assert.Equal(expected, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
        Assert.Equal(expected, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
        Assert.Equal(waits, device.SynchronizeCount);
        Assert.Equal(allocations, device.AllocationCount);
        Assert.Equal(enforceEager, device.GraphLaunchCount == 0);
        Assert.Equal(0, engine.Stats.KvBlocksUsed);
    }

    [Fact]
    public async Task Submit_PaddedGraphs_SameBitsAsOnTheProcessor()
    {
        int[][] prompts = EngineRun.Prompts(7, 256);
        string[] expected = await ExpectedAsync(prompts);
        var device = new QueuedBackend();
        await using LlmEngine engine = LlmEngine.Load(Options with { CudaGraphCaptureSizes = [11, 16], BlockSize = 4 }, device);
        Assert.Equal(2, device.CaptureCount);
        Assert.Equal(expected, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
        Assert.True(device.GraphLaunchCount > OutputCount / 2);
    }

    [Fact]
    public async Task Submit_BadWordsOfSeveralTokens_SameAnswerAsOnTheProcessor()
    {
        async Task<List<int>> AnswerAsync(LlmEngine engine, IReadOnlyList<int[]> badWords)
        {
            List<int> tokens = [];
            var sampling = new SamplingParams { Temperature = 0, MaxTokens = 24, IgnoreEos = true, BadWords = badWords };
            await foreach (TokenOutput output in engine.Submit(new GenerationRequest { Id = "bad words", PromptTokenIds = [5, 6, 7], Sampling = sampling }))
            {
                tokens.AddRange(output.TokenIds);
            }

            return tokens;
        }

        await using LlmEngine processor = await EngineRun.LoadAsync(Options with { AsyncScheduling = false });
        List<int> free = await AnswerAsync(processor, []);
        IReadOnlyList<int[]> forbidden = [[free[3], free[4]], [free[7], free[8], free[9]]];
        List<int> expected = await AnswerAsync(processor, forbidden);
        Assert.NotEqual(free, expected);
        await using LlmEngine engine = LlmEngine.Load(Options, new QueuedBackend { BeforeFence = () => Thread.Sleep(1) });
        Assert.Equal(expected, await AnswerAsync(engine, forbidden));
    }

    [Fact]
    public async Task Submit_DeviceFailsOnce_OnlyTheRequestsOfThatStepEnd()
    {
        var device = new QueuedBackend();
        await using LlmEngine engine = LlmEngine.Load(Options, device);
        device.BeforeFence = () =>
        {
            device.BeforeFence = null;
            throw new InvalidOperationException("a kernel failed");
        };
        Assert.Equal(FinishReason.Error, await EndAsync(engine, "first"));
        Assert.Equal(FinishReason.Length, await EndAsync(engine, "second"));
        Assert.True(engine.IsHealthy);
        Assert.Null(engine.Fault);
        Assert.Equal(0, engine.Stats.KvBlocksUsed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Submit_LaunchFailsHalfWayBehindARunningStep_NothingElseIsHarmed(bool enforceEager)
    {
        int[][] prompts = EngineRun.Prompts(6, 256);
        string[] expected = await ExpectedAsync(prompts);
        var device = new QueuedBackend();
        await using LlmEngine engine = LlmEngine.Load(Options with { EnforceEager = enforceEager }, device);

        // Slow enough for launches to come while a step runs, and for host memory to be used again too early.
        device.BeforeFence = () => Thread.Sleep(5);
        device.BeforeUpload = () => Thread.Sleep(1);
        for (int round = 0; round < 3; round++)
        {
            int launches = 0;
            device.BeforeSampling = () =>
            {
                if (++launches == 7)
                {
                    throw new InvalidOperationException("out of memory");
                }
            };
            FinishReason?[] ends = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => EndAsync(engine, $"{round} {i}")));
            Assert.Contains(FinishReason.Error, ends);
            device.BeforeSampling = null;
            Assert.Equal(expected, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
            Assert.True(engine.IsHealthy);
            Assert.Equal(0, engine.Stats.KvBlocksUsed);
        }
    }

    [Fact]
    public async Task Submit_DeviceIsLost_EveryRequestEndsAndTheEngineSaysSo()
    {
        var device = new QueuedBackend { FaultsStay = true };
        await using LlmEngine engine = LlmEngine.Load(Options, device);
        int fences = 0;
        device.BeforeFence = () =>
        {
            if (++fences == 5)
            {
                throw new InvalidOperationException("the device fell off the bus");
            }
        };
        FinishReason?[] ends = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => EndAsync(engine, $"{i}")));
        Assert.All(ends, end => Assert.Equal(FinishReason.Error, end));
        await engine.Broken.WaitAsync(TestContext.Current.CancellationToken);
        Assert.False(engine.IsHealthy);
        Assert.Equal("The engine stopped because its device failed.", engine.Fault);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task Submit_SwappedWhileStepsOverlap_SameBitsAsOnTheProcessor(bool enforceEager, bool slow)
    {
        int[][] prompts = EngineRun.Prompts(48, 256);
        string[] expected = await ExpectedAsync(prompts);
        var device = new QueuedBackend();
        await using LlmEngine engine = LlmEngine.Load(
            Options with
            {
                EnforceEager = enforceEager,
                BlockSize = 4,
                NumGpuBlocksOverride = 48,
                MaxModelLen = 80,
                MaxNumSeqs = 64,
                SwapSpaceGiB = 0.01,
                PreemptionMode = PreemptionMode.Swap,
            },
            device);
        for (int i = 0; i < 1000 && engine.Stats.SwapBlocksTotal == 0; i++)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        if (slow)
        {
            device.BeforeFence = () => Thread.Sleep(3);
        }

        int allocations = device.AllocationCount;
        Assert.Equal(expected, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
        EngineStats stats = engine.Stats;
        Assert.True(stats.SwapOuts > 0, $"{stats.Preemptions} preemptions, none swapped");
        Assert.Equal((0, 0), (stats.KvBlocksUsed, stats.SwapBlocksUsed));
        Assert.Equal(allocations, device.AllocationCount);
    }

    private static async Task<FinishReason?> EndAsync(LlmEngine engine, string id)
    {
        FinishReason? end = null;
        var sampling = new SamplingParams { MaxTokens = 40, IgnoreEos = true };
        await foreach (TokenOutput output in engine.Submit(new GenerationRequest { Id = id, PromptTokenIds = [5, 6, 7], Sampling = sampling }))
        {
            end = output.FinishReason ?? end;
        }

        return end;
    }

    private static int GraphCount(LlmEngine engine) => Sluice.Execution.GraphSizes.Resolve(engine.Options, engine.Options.MaxNumSeqs!.Value).Length;

    private static async Task<string[]> ExpectedAsync(int[][] prompts)
    {
        await using LlmEngine processor = await EngineRun.LoadAsync(Options with { AsyncScheduling = false });
        return (await EngineRun.AllAsync(processor, prompts, OutputCount)).Answers;
    }
}
