using System.Text.Json;
using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Models;

namespace Sluice.Tests.Models;

public sealed class ModelLoaderTests
{
    private const string TinyConfig = """
        {"architectures": ["LlamaForCausalLM"], "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
         "num_hidden_layers": 2, "intermediate_size": 48, "vocab_size": 40, "max_position_embeddings": 64, "hidden_act": "silu",
         "torch_dtype": "bfloat16", "mlp_bias": true, "attention_bias": true}
        """;

    private static readonly int[] Prompt = [1, 5, 9, 2, 30, 7];

    [Theory]
    [InlineData(null)]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    [InlineData(DType.Float16)]
    public void Load_DummyWeights_NeedsOnlyTheConfigAndStaysFinite(DType? type)
    {
        using TemporaryFolder folder = Tiny();
        float[] first = DummyLogits(folder.Path, type, seed: 3);

        Assert.All(first, static logit => Assert.True(float.IsFinite(logit)));
        Assert.True(first.Max() - first.Min() > 0.1f);
        Assert.Equal(first, DummyLogits(folder.Path, type, seed: 3));
        Assert.NotEqual(first, DummyLogits(folder.Path, type, seed: 4));
    }

    [Theory]
    [MemberData(nameof(TestData.ReferenceModels), MemberType = typeof(TestData))]
    public void Plan_FromConfigAlone_IsWhatLoadingTakes(string name)
    {
        string folder = TestData.ReferenceModel(name);
        using var backend = new CpuBackend(1);
        LoadedModel loaded = ModelLoader.Load(new EngineOptions { Model = folder }, backend, 64, null, TestContext.Current.CancellationToken);

        ModelMemory plan = ModelMemory.Plan(
            loaded.Config, new BuildLimits(64, loaded.Config.MaxPositions), null, backend.ActivationType, DType.Float16);

        Assert.Equal(loaded.WeightBytes, plan.WeightBytes + Padding(loaded.Config));
        Assert.Equal(2L * loaded.Config.LayerCount * ElementsPerToken(loaded.Config), plan.KvBytesPerToken);
        Assert.Empty(loaded.UnusedTensors);
    }

    private static int ElementsPerToken(ModelConfig config) =>
        config.Latent is { } latent ? latent.KvRank + latent.RotaryDim : 2 * config.KvHeads * config.HeadDim;

    // The CPU stores rows in panels of 16, and routers of so few experts or latents of queries so small do not fill one.
    private static long Padding(ModelConfig config)
    {
        int rows = config.LayerCount * RowsToFill(config.Latent?.QueryRank ?? 0);
        rows += config.Moe is { } moe ? moe.SparseLayers.Count(static sparse => sparse) * RowsToFill(moe.Routing.Experts) : 0;
        return rows * 2L * config.HiddenSize;
    }

    private static int RowsToFill(int rows) => (16 - (rows % 16)) % 16;

    [Fact]
    public void Load_Shards_ReportsRisingProgressToTheEnd()
    {
        using var backend = new CpuBackend();
        var reports = new Reports();
        LoadedModel loaded = ModelLoader.Load(new EngineOptions { Model = TestData.Storyteller }, backend, 64, reports, TestContext.Current.CancellationToken);

        Assert.Equal(reports.All.Order(), reports.All);
        Assert.Equal(reports.Total, reports.All[^1]);
        Assert.True(loaded.WeightBytes >= reports.Total);
        Assert.Equal(3, reports.Files.Count);
        Assert.Equal(0.8f, loaded.Defaults.Temperature);
        Assert.Equal([2, 6], loaded.Config.EosTokenIds);
    }

    [Fact]
    public void Load_AnotherType_ConvertsTheWeights()
    {
        string folder = TestData.ReferenceModel("llama");
        float[] stored = Logits(new EngineOptions { Model = folder });
        float[] widened = Logits(new EngineOptions { Model = folder, DType = DType.Float32 });
        float[] halves = Logits(new EngineOptions { Model = folder, DType = DType.Float16 });

        Assert.Equal(stored, widened);
        // Weights of this size and precision are exact in float16 but for the smallest.
        Assert.All(stored.Zip(halves), static pair => Assert.Equal(pair.First, pair.Second, 1e-3f));
    }

    [Fact]
    public void Load_ValueBeyondFloat16_NamesTheTensor()
    {
        using TemporaryFolder folder = CopyOfLlama();
        ChangeTensor(folder, "model.layers.0.mlp.down_proj.weight", static data => data[1] = 0x7F);

        string message = LoadBroken(folder, DType.Float16);

        Assert.Contains("model.layers.0.mlp.down_proj.weight", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.norm.weight")]
    [InlineData("model.embed_tokens.weight")]
    [InlineData("lm_head.weight")]
    [InlineData("model.layers.1.self_attn.k_proj.weight")]
    [InlineData("model.layers.0.mlp.up_proj.weight")]
    public void Load_TensorMissing_NamesItAndItsShape(string tensor)
    {
        using TemporaryFolder folder = CopyOfLlama();
        RenameTensor(folder, tensor);

        string message = LoadBroken(folder);

        Assert.Contains(tensor + " [", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ShapeUnlikeTheConfig_SaysBoth()
    {
        string folder = TestData.ReferenceModel("llama");
        using var backend = new CpuBackend(1);

        string message = Assert.Throws<UserErrorException>(
            () => ModelLoader.Load(new EngineOptions { Model = folder, HfOverrides = """{"vocab_size": 400}""" }, backend, 64, null, TestContext.Current.CancellationToken)).Message;

        Assert.Contains("model.embed_tokens.weight has the shape [384, 128]", message, StringComparison.Ordinal);
        Assert.Contains("[400, 128]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_TensorsThatTheModelDoesNotUse_AreListed()
    {
        string folder = TestData.ReferenceModel("llama");
        using var backend = new CpuBackend(1);

        LoadedModel loaded = ModelLoader.Load(new EngineOptions { Model = folder, HfOverrides = """{"tie_word_embeddings": true}""" }, backend, 64, null, TestContext.Current.CancellationToken);

        Assert.Equal(["lm_head.weight"], loaded.UnusedTensors);
    }

    [Fact]
    public void Load_MoreThanTheMachineHas_IsRefusedBeforeAllocating()
    {
        using TemporaryFolder folder = Tiny();
        using var backend = new CpuBackend(1);
        var options = new EngineOptions
        {
            Model = folder.Path,
            LoadFormat = LoadFormat.Dummy,
            HfOverrides = """{"hidden_size": 131072, "intermediate_size": 1000000, "num_hidden_layers": 500, "vocab_size": 1000000}""",
        };

        string message = Assert.Throws<UserErrorException>(() => ModelLoader.Load(options, backend, 64, null, TestContext.Current.CancellationToken)).Message;

        Assert.Contains("GiB are free", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Cancelled_Stops()
    {
        using var backend = new CpuBackend(1);
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(
            () => ModelLoader.Load(new EngineOptions { Model = TestData.Storyteller }, backend, 64, null, source.Token));
    }

    [Fact]
    public void Load_OlderMultimodalGemma3_LoadsItsLanguagePart()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """
            {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": {"hidden_size": 32, "num_attention_heads": 2,
             "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 40,
             "max_position_embeddings": 64, "sliding_window": 8}}
            """);
        float[] logits = DummyLogits(folder.Path, null, seed: 0);

        Assert.All(logits, static logit => Assert.True(float.IsFinite(logit)));
    }

    [Theory]
    [InlineData("model.layers.1.self_attn.kv_b_proj.weight")]
    [InlineData("model.layers.0.self_attn.kv_a_proj_with_mqa.weight")]
    [InlineData("model.layers.0.self_attn.q_a_layernorm.weight")]
    [InlineData("model.layers.1.mlp.gate.e_score_correction_bias")]
    [InlineData("model.layers.1.mlp.experts.11.down_proj.weight")]
    [InlineData("model.layers.1.mlp.shared_experts.up_proj.weight")]
    public void Load_TensorOfDeepSeekMissing_NamesIt(string tensor)
    {
        using TemporaryFolder folder = CopyOf("deepseek-v3");
        RenameTensor(folder, tensor);

        Assert.Contains(tensor + " [", LoadBroken(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_LatentUnlikeTheConfig_SaysBothShapes()
    {
        using TemporaryFolder folder = CopyOf("deepseek-v3");
        using var backend = new CpuBackend(1);
        var options = new EngineOptions { Model = folder.Path, HfOverrides = """{"v_head_dim": 48}""" };

        string message = Assert.Throws<UserErrorException>(
            () => ModelLoader.Load(options, backend, 64, null, TestContext.Current.CancellationToken)).Message;

        Assert.Contains("kv_b_proj.weight has the shape [256, 64]", message, StringComparison.Ordinal);
        Assert.Contains("[320, 64]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_LayersAfterTheLast_AreListedAsUnused()
    {
        // As released checkpoints have one that predicts a further token.
        using var backend = new CpuBackend(1);
        var options = new EngineOptions { Model = TestData.ReferenceModel("deepseek-v3"), HfOverrides = """{"num_hidden_layers": 1}""" };

        LoadedModel loaded = ModelLoader.Load(options, backend, 64, null, TestContext.Current.CancellationToken);

        Assert.NotEmpty(loaded.UnusedTensors);
        Assert.All(loaded.UnusedTensors, static name => Assert.StartsWith("model.layers.1.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void Load_DummyDeepSeek_NeedsOnlyTheConfig()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Path.Combine(TestData.ReferenceModel("deepseek-v3"), "config.json"), Path.Combine(folder.Path, "config.json"));

        float[] logits = DummyLogits(folder.Path, null, seed: 1);

        Assert.All(logits, static logit => Assert.True(float.IsFinite(logit)));
        Assert.Equal(logits, DummyLogits(folder.Path, null, seed: 1));
    }

    private static TemporaryFolder Tiny()
    {
        var folder = new TemporaryFolder();
        folder.Write("config.json", TinyConfig);
        return folder;
    }

    private static TemporaryFolder CopyOfLlama() => CopyOf("llama");

    private static TemporaryFolder CopyOf(string model)
    {
        var folder = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(TestData.ReferenceModel(model)))
        {
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        }

        return folder;
    }

    private static void RenameTensor(TemporaryFolder folder, string tensor)
    {
        string path = Path.Combine(folder.Path, "model.safetensors");
        byte[] file = File.ReadAllBytes(path);
        int at = file.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes($"\"{tensor}\""));
        file[at + 1] = (byte)'X';
        File.WriteAllBytes(path, file);
    }

    private static void ChangeTensor(TemporaryFolder folder, string tensor, Action<byte[]> change)
    {
        string path = Path.Combine(folder.Path, "model.safetensors");
        byte[] file = File.ReadAllBytes(path);
        int dataStart = 8 + (int)BitConverter.ToUInt64(file);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, dataStart - 8));
        JsonElement offsets = header.RootElement.GetProperty(tensor).GetProperty("data_offsets");
        int begin = dataStart + offsets[0].GetInt32();
        byte[] data = file[begin..(dataStart + offsets[1].GetInt32())];
        change(data);
        data.CopyTo(file, begin);
        File.WriteAllBytes(path, file);
    }

    private static string LoadBroken(TemporaryFolder folder, DType? type = null)
    {
        using var backend = new CpuBackend(1);
        return Assert.Throws<UserErrorException>(
            () => ModelLoader.Load(new EngineOptions { Model = folder.Path, DType = type }, backend, 64, null, TestContext.Current.CancellationToken)).Message;
    }

    private static float[] DummyLogits(string folder, DType? type, long seed) =>
        Logits(new EngineOptions { Model = folder, LoadFormat = LoadFormat.Dummy, DType = type, Seed = seed });

    private static float[] Logits(EngineOptions options)
    {
        using var backend = new CpuBackend(1);
        LoadedModel loaded = ModelLoader.Load(options, backend, 64, null, TestContext.Current.CancellationToken);
        return new PagedRunner(backend, loaded.Model, 4).Step((new PagedRunner.Sequence(), Prompt))[0];
    }

    private sealed class Reports : IProgress<LoadProgress>
    {
        public List<long> All { get; } = [];

        public HashSet<string> Files { get; } = [];

        public long Total { get; private set; }

        public void Report(LoadProgress value)
        {
            All.Add(value.LoadedBytes);
            Files.Add(value.File);
            Total = value.TotalBytes;
        }
    }
}
