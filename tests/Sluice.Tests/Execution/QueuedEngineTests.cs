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

    private static int GraphCount(LlmEngine engine) => Sluice.Execution.GraphSizes.Resolve(engine.Options, engine.Options.MaxNumSeqs!.Value).Length;

    private static async Task<string[]> ExpectedAsync(int[][] prompts)
    {
        await using LlmEngine processor = await EngineRun.LoadAsync(Options with { AsyncScheduling = false });
        return (await EngineRun.AllAsync(processor, prompts, OutputCount)).Answers;
    }
}
