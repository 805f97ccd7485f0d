using Sluice.Compute;
using Sluice.Compute.Cuda;
using Sluice.Tests.Models;

namespace Sluice.Tests.Execution;

/// <summary>The engine on a GPU; skipped where there is none. One at a time: each takes the device's memory.</summary>
[CollectionDefinition(nameof(CudaEngineTests), DisableParallelization = true)]
[Collection(nameof(CudaEngineTests))]
public sealed class CudaEngineTests
{
    private const int OutputCount = 24;
    private const int VocabularySize = 256;

    private static readonly EngineOptions Options = new()
    {
        Model = "",
        Device = DeviceKind.Cuda,
        DType = DType.BFloat16,
        SkipTokenizerInit = true,
        MaxModelLen = 96,
        MaxNumSeqs = 64,
        KvCacheMemoryBytes = 64 << 20,
        SwapSpaceGiB = 0,
    };

    /// <summary>Head sizes, groups, norms, windows and caps of all kinds.</summary>
    public static TheoryData<string> Models { get; } = ["llama", "llama-hd128", "mistral-swa", "qwen2", "qwen3", "gemma2", "gemma3", "olmo2"];

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Submit_GraphOfTheSameSize_SameBitsAsOperationByOperation(string model)
    {
        EngineOptions options = For(model);
        int[][] prompts = EngineRun.Prompts(6, VocabularySize);
        string[] eager = await AnswersAsync(options with { EnforceEager = true }, prompts, oneByOne: true);
        Assert.Equal(eager, await AnswersAsync(options, prompts, oneByOne: true));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Submit_BatchInvariant_SameBitsAloneInBatchesFromTheCacheAndAfterPreemption(string model)
    {
        EngineOptions options = For(model) with { BatchInvariant = true };
        int[][] prompts = EngineRun.Prompts(64, VocabularySize);
        string[] alone = await AnswersAsync(
            options with { EnforceEager = true, EnablePrefixCaching = false, AsyncScheduling = false }, prompts, oneByOne: true);
        Assert.True(alone.Distinct().Count() > 32);
        await using (LlmEngine engine = await LoadAsync(options))
        {
            Assert.Equal(alone, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
            (string[] again, int cached) = await EngineRun.AllAsync(engine, prompts, OutputCount);
            Assert.Equal(alone, again);
            Assert.True(cached > 100, $"{cached} tokens came from the cache");
            Assert.Equal(0, engine.Stats.KvBlocksUsed);
        }

        Assert.Equal(alone, await AnswersAsync(options with { MaxNumBatchedTokens = 70 }, prompts, oneByOne: false));
        Assert.Equal(alone, await AnswersAsync(options with { LongPrefillTokenThreshold = 9, EnforceEager = true }, prompts, oneByOne: false));
        await using (LlmEngine engine = await LoadAsync(options with { KvCacheMemoryBytes = null, NumGpuBlocksOverride = 24 }))
        {
            Assert.Equal(alone, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
            Assert.True(engine.Stats.Preemptions > 0);
        }
    }

    [Fact]
    public async Task Submit_AnyRequests_TakesNoDeviceMemory()
    {
        TestDevice.Open("cuda bfloat16").Dispose();
        var backend = new CudaBackend();
        await using LlmEngine engine = LlmEngine.Load(For("llama"), backend);
        int[][] prompts = EngineRun.Prompts(64, VocabularySize);
        long before = backend.Context.Memory.RequestCount;
        await EngineRun.AllAsync(engine, prompts, OutputCount);
        await EngineRun.AllAsync(engine, prompts, OutputCount);
        Assert.Equal(before, backend.Context.Memory.RequestCount);
    }

    private static EngineOptions For(string model) => Options with { Model = TestData.ReferenceModel(model) };

    private static async Task<LlmEngine> LoadAsync(EngineOptions options)
    {
        TestDevice.Open("cuda bfloat16").Dispose();
        return await EngineRun.LoadAsync(options);
    }

    private static async Task<string[]> AnswersAsync(EngineOptions options, int[][] prompts, bool oneByOne)
    {
        await using LlmEngine engine = await LoadAsync(options);
        return (await EngineRun.AllAsync(engine, prompts, OutputCount, oneByOne)).Answers;
    }
}
