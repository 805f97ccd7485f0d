using Sluice.KvCache;
using Sluice.Models;

namespace Sluice.Tests.KvCache;

public sealed class MemoryPlanTests
{
    private const long MiB = 1 << 20;

    // 16 KiB a token, so 256 KiB a block and 4 blocks a MiB.
    private static readonly MemoryPlanInputs Inputs = new()
    {
        Model = new ModelMemory(100 * MiB, 20 * MiB, 16 * 1024),
        VocabularySize = 32_000,
        MaxPositions = 4096,
        AvailableBytes = 1000 * MiB,
        Utilization = 0.9,
        BlockSize = 16,
        MaxSequences = 128,
    };

    [Fact]
    public void Create_NothingAsked_TakesWhatIsLeft()
    {
        MemoryPlan plan = MemoryPlan.Create(Inputs);
        long logits = 2L * 128 * 32_000 * sizeof(float);
        Assert.Equal(logits, plan.LogitsBytes);
        Assert.Equal(((900 - 120) * MiB - logits) / (256 * 1024), plan.BlockCount);
        Assert.Equal(4096, plan.MaxModelLen);
        Assert.Null(plan.Notice);
        Assert.True(plan.WeightBytes + plan.ActivationBytes + plan.LogitsBytes + plan.KvBytes <= 900 * MiB);
    }

    [Fact]
    public void Create_FewShortSequences_TakesNoMoreThanTheyCanUse() =>
        Assert.Equal(4 * 7, MemoryPlan.Create(Inputs with { MaxSequences = 4, MaxModelLen = 100 }).BlockCount);

    [Fact]
    public void Create_ModelLongerThanMemory_ShortensTheContextAndSaysSo()
    {
        MemoryPlan plan = MemoryPlan.Create(Inputs with { KvCacheMemoryBytes = 32 * MiB });
        Assert.Equal((128, 2048), (plan.BlockCount, plan.MaxModelLen));
        Assert.Equal(
            "The KV cache memory (0.03 GiB) holds 2048 of the model's 4096 positions: --max-model-len is set to 2048. " +
            "Raise --kv-cache-memory-bytes for more.",
            plan.Notice);
    }

    [Fact]
    public void Create_AskedContextDoesNotFit_SaysTheLargestThatDoes()
    {
        var error = Assert.Throws<UserErrorException>(
            () => MemoryPlan.Create(Inputs with { KvCacheMemoryBytes = 32 * MiB, MaxModelLen = 4000 }));
        Assert.StartsWith(
            "To serve at least one request with the model's max seq len (4000), (0.06 GiB KV cache is needed, which is larger than the " +
            "available KV cache memory (0.03 GiB). Based on the available memory, the estimated maximum model length is 2048. ",
            error.Message, StringComparison.Ordinal);
        Assert.Equal(2048, MemoryPlan.Create(Inputs with { KvCacheMemoryBytes = 32 * MiB, MaxModelLen = 2048 }).MaxModelLen);
    }

    [Fact]
    public void Create_AskedContextBeyondTheModel_IsRefused()
    {
        var error = Assert.Throws<UserErrorException>(() => MemoryPlan.Create(Inputs with { MaxModelLen = 4097 }));
        Assert.StartsWith(
            "User-specified max_model_len (4097) is greater than the derived max_model_len (max_position_embeddings=4096",
            error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_NothingLeft_IsRefused()
    {
        var error = Assert.Throws<UserErrorException>(() => MemoryPlan.Create(Inputs with { AvailableBytes = 100 * MiB }));
        Assert.StartsWith("No available memory for the cache blocks", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_BlockCountOverride_IsTakenAsItIs() =>
        Assert.Equal(300, MemoryPlan.Create(Inputs with { BlockCountOverride = 300, AvailableBytes = 1 }).BlockCount);

    [Theory]
    [InlineData(32_000, 128, 128)]
    [InlineData(262_144, 128, 64)]
    [InlineData(262_144, 8, 8)]
    [InlineData(100_000_000, 8, 1)]
    public void LogitRows_LargeVocabulary_StaysWithin64MiB(int vocabulary, int sequences, int expected) =>
        Assert.Equal(
            expected,
            MemoryPlan.Create(Inputs with { VocabularySize = vocabulary, MaxSequences = sequences, AvailableBytes = 10_000 * MiB }).LogitRows);

    [Fact]
    public void Create_SwapSpace_IsTakenOnlyWhereSomethingCouldBePreempted()
    {
        MemoryPlanInputs inputs = Inputs with { SwapSpaceBytes = 50 * MiB, KvCacheMemoryBytes = 32 * MiB };
        Assert.Equal(50 * MiB, MemoryPlan.Create(inputs).SwapBytes);
        // 4 sequences of 512 tokens fill the 32 MiB exactly; a fifth could not run without taking from another.
        Assert.Equal(0, MemoryPlan.Create(inputs with { MaxSequences = 4, MaxModelLen = 512 }).SwapBytes);
        Assert.Equal(40 * MiB, MemoryPlan.Create(inputs with { MaxSequences = 5, MaxModelLen = 512 }).SwapBytes);
    }
}
