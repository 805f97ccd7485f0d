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

    // A model like Llama-3.1-8B on a GPU like an H100: 128 KiB a token, 2 MiB a block.
    private const long GiB = 1L << 30;
    private static readonly GpuMemory H100 = new(TotalBytes: 79 * GiB, FreeBytes: (79 * GiB) - MemoryPlan.ContextBytes, GraphCount: 51);

    private static readonly MemoryPlanInputs OnGpu = new()
    {
        Model = new ModelMemory(15 * GiB, (8192 * 128 * 1024) + (64 * MiB), 128 * 1024) { ActivationBytesPerToken = 128 * 1024, LayerCount = 32 },
        VocabularySize = 128_256,
        MaxPositions = 131_072,
        AvailableBytes = H100.FreeBytes,
        Gpu = H100,
        Utilization = 0.92,
        BlockSize = 16,
        MaxSequences = 1024,
        MaxBatchedTokens = 8192,
        CouldUseFp8Cache = true,
        SwapSpaceBytes = 4 * GiB,
    };

    [Fact]
    public void Create_Gpu_TakesTheShareOfAllItsMemory()
    {
        MemoryPlan plan = MemoryPlan.Create(OnGpu);
        long budget = (long)(79 * GiB * 0.92);
        Assert.InRange(plan.OtherBytes + plan.KvBytes, budget - (2 * MiB), budget);
        Assert.Equal((131_072, 512, 4 * GiB), (plan.MaxModelLen, plan.LogitRows, plan.SwapBytes));
        Assert.True(plan is { FixedBytes: > 0, WorkspaceBytes: > 0, GraphBytes: > 0, SamplerBytes: > 0 });
        Assert.True(MemoryPlan.Create(OnGpu with { Gpu = H100 with { GraphCount = 0 } }).KvBytes > plan.KvBytes);
    }

    [Fact]
    public void Create_GpuInUse_SaysWhatIsFreeAndWhatShareWouldDo()
    {
        var error = Assert.Throws<UserErrorException>(() => MemoryPlan.Create(OnGpu with { Gpu = H100 with { FreeBytes = 40 * GiB } }));
        Assert.Equal(
            "Free memory on device (40.00/79.00 GiB) on startup is less than desired GPU memory utilization (0.92, 72.68 GiB). Decrease " +
            "--gpu-memory-utilization (up to 0.51 would do) or reduce GPU memory used by other processes.",
            error.Message);
        Assert.True(MemoryPlan.Create(OnGpu with { Gpu = H100 with { FreeBytes = 40 * GiB }, Utilization = 0.51 }).BlockCount > 0);
        Assert.Equal(1024, MemoryPlan.Create(OnGpu with { Gpu = H100 with { FreeBytes = 40 * GiB }, KvCacheMemoryBytes = 2 * GiB, MaxModelLen = 4096 }).BlockCount);
    }

    [Fact]
    public void Create_GpuContextDoesNotFit_NamesTheFlagsThatHelp()
    {
        // A GPU of 24 GiB with this model's weights has about 4 GiB for the cache.
        GpuMemory small = new(24 * GiB, (24 * GiB) - MemoryPlan.ContextBytes, 35);
        MemoryPlanInputs inputs = OnGpu with { Gpu = small, MaxSequences = 256, MaxModelLen = 42_000 };
        string message = Assert.Throws<UserErrorException>(() => MemoryPlan.Create(inputs)).Message;
        int fits = int.Parse(System.Text.RegularExpressions.Regex.Match(message, "estimated maximum model length is ([0-9]+)\\.").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(fits, MemoryPlan.Create(inputs with { MaxModelLen = fits }).MaxModelLen);
        string way = System.Text.RegularExpressions.Regex.Match(message, "--gpu-memory-utilization ([0-9.]+[0-9])").Groups[1].Value;
        Assert.Equal(42_000, MemoryPlan.Create(inputs with { Utilization = double.Parse(way, System.Globalization.CultureInfo.InvariantCulture) }).MaxModelLen);
        Assert.Contains($"Try --max-model-len {fits}, ", message, StringComparison.Ordinal);
        Assert.EndsWith(" or --kv-cache-dtype fp8.", message, StringComparison.Ordinal);
        Assert.Equal(42_000, MemoryPlan.Create(inputs with { Model = inputs.Model with { KvBytesPerToken = 64 * 1024 } }).MaxModelLen);
    }

    [Fact]
    public void Create_GpuTooSmallForTheWeights_SaysWhatTakesHowMuch()
    {
        GpuMemory small = new(16 * GiB, (16 * GiB) - MemoryPlan.ContextBytes, 0);
        string message = Assert.Throws<UserErrorException>(() => MemoryPlan.Create(OnGpu with { Gpu = small })).Message;
        Assert.StartsWith("No available memory for the cache blocks: one block needs 2", message.Replace("0.00195", "2", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("Of 14.72 GiB the weights take 15.00, activations of 8192 tokens 1.06", message, StringComparison.Ordinal);
        Assert.EndsWith("Use a smaller model or a GPU with more memory.", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_GpuCacheLargerThanFree_IsRefusedBeforeAnythingIsLoaded()
    {
        string message = Assert.Throws<UserErrorException>(() => MemoryPlan.Create(OnGpu with { KvCacheMemoryBytes = 70 * GiB })).Message;
        Assert.Contains("70.00 GiB of them for the KV cache, and 78.42 GiB are free", message, StringComparison.Ordinal);
    }

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
