using Sluice.Compute;

namespace Sluice.Tests.Execution;

/// <summary>
/// An answer depends on its own request only: whatever runs beside it, however its prompt is cut, whatever the cache holds and
/// however often it is preempted, ids and logprobs are the same to the bit.
/// </summary>
public sealed class EngineDeterminismTests
{
    private const int OutputCount = 12;

    public static TheoryData<string> Models => TestData.ReferenceModels;

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Submit_AnyCompany_SameBitsAsAlone(string model)
    {
        var options = new EngineOptions { Model = TestData.ReferenceModel(model), SkipTokenizerInit = true, MaxModelLen = 96, CpuThreads = 2 };
        int[][] prompts = EngineRun.Prompts(32, 256);
        string[] alone;
        await using (LlmEngine engine = await EngineRun.LoadAsync(options with { AsyncScheduling = false, EnablePrefixCaching = false }))
        {
            (alone, int cached) = await EngineRun.AllAsync(engine, prompts, OutputCount, oneByOne: true);
            Assert.Equal(0, cached);
            Assert.True(alone.Distinct().Count() > 16);
        }

        await using (LlmEngine engine = await EngineRun.LoadAsync(options))
        {
            Assert.Equal(alone, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
            (string[] again, int cached) = await EngineRun.AllAsync(engine, prompts, OutputCount);
            Assert.Equal(alone, again);
            Assert.True(cached > 100, $"{cached} tokens came from the cache");
            Assert.Equal(0, engine.Stats.KvBlocksUsed);
        }

        await using (LlmEngine engine = await EngineRun.LoadAsync(options with { MaxNumBatchedTokens = 7 }))
        {
            Assert.Equal(alone, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
        }

        await using (LlmEngine engine = await EngineRun.LoadAsync(options with { BlockSize = 8, LongPrefillTokenThreshold = 9, CpuThreads = 1 }))
        {
            Assert.Equal(alone, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Submit_PreemptedWithSwapSpace_SameBitsAsUnconstrained(bool prefixCache)
    {
        var options = new EngineOptions
        {
            Model = TestData.ReferenceModel("llama"), SkipTokenizerInit = true, MaxModelLen = 96, MaxNumSeqs = 64, EnablePrefixCaching = prefixCache,
        };
        int[][] prompts = EngineRun.Prompts(64, 256);
        string[] free;
        await using (LlmEngine engine = await EngineRun.LoadAsync(options with { SwapSpaceGiB = 0.01 }))
        {
            // Everything fits, so there is nothing to swap and no memory is taken for it.
            (free, _) = await EngineRun.AllAsync(engine, prompts, OutputCount);
            Assert.Equal((0L, 0), (engine.Stats.Preemptions, engine.Stats.SwapBlocksTotal));
        }

        foreach (DType? kvType in (DType?[])[null, DType.BFloat16])
        {
            string[] expected = free;
            if (kvType is not null)
            {
                await using LlmEngine wide = await EngineRun.LoadAsync(options with { KvCacheDType = kvType });
                (expected, _) = await EngineRun.AllAsync(wide, prompts, OutputCount);
            }

            await using LlmEngine engine = await EngineRun.LoadAsync(
                options with
                {
                    BlockSize = 4,
                    NumGpuBlocksOverride = 48,
                    MaxModelLen = 80,
                    SwapSpaceGiB = 0.01,
                    PreemptionMode = PreemptionMode.Swap,
                    KvCacheDType = kvType,
                });
            for (int i = 0; i < 1000 && engine.Stats.SwapBlocksTotal == 0; i++)
            {
                await Task.Delay(5, TestContext.Current.CancellationToken);
            }

            Assert.Equal(expected, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
            EngineStats stats = engine.Stats;
            Assert.True(stats.SwapOuts > 0, $"{stats.Preemptions} preemptions, none swapped");
            Assert.Equal((0, 0, 0), (stats.KvBlocksUsed, stats.SwapBlocksUsed, stats.SwappedCount));
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Submit_KvForThreeOfSixtyFour_SameBitsAsUnconstrained(string model)
    {
        var options = new EngineOptions { Model = TestData.ReferenceModel(model), SkipTokenizerInit = true, MaxModelLen = 96, MaxNumSeqs = 64 };
        int[][] prompts = EngineRun.Prompts(64, 256);
        string[] free;
        await using (LlmEngine engine = await EngineRun.LoadAsync(options))
        {
            (free, _) = await EngineRun.AllAsync(engine, prompts, OutputCount);
            Assert.Equal(0, engine.Stats.Preemptions);
        }

        await using (LlmEngine engine = await EngineRun.LoadAsync(options with { BlockSize = 4, NumGpuBlocksOverride = 48, MaxModelLen = 80 }))
        {
            Assert.Equal(free, (await EngineRun.AllAsync(engine, prompts, OutputCount)).Answers);
            Assert.True(engine.Stats.Preemptions > 0);
            Assert.Equal(0, engine.Stats.KvBlocksUsed);
        }
    }
}
