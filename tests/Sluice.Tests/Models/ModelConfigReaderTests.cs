using System.Text.Json;
using Sluice.Compute;
using Sluice.Models;

namespace Sluice.Tests.Models;

public sealed class ModelConfigReaderTests
{
    private const string Small = """
        "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 4, "intermediate_size": 96,
        "vocab_size": 100, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "hidden_act": "silu"
        """;

    [Theory]
    [MemberData(nameof(TestData.ReferenceModels), MemberType = typeof(TestData))]
    public void Read_ReferenceModel_ReadsItsShapes(string name)
    {
        ModelConfig config = ModelConfigReader.Read(TestData.ReferenceModel(name), null);

        Assert.Equal(128, config.HiddenSize);
        Assert.Equal(192, config.IntermediateSize);
        Assert.Equal(384, config.VocabularySize);
        Assert.Equal(HeadDimOf(name), config.HeadDim);
        Assert.Equal(config.LayerCount, config.Layers.Count);
        Assert.Equal(DType.BFloat16, config.StoredType);
        Assert.Equal([2], config.EosTokenIds);
    }

    private static int HeadDimOf(string name) => name switch
    {
        "llama-hd128" => 128,
        // Of the rotated part.
        "deepseek-v2-lite" or "deepseek-v3" => 16,
        "deepseek-v3-realdims" or "deepseek-v3-fp8" => 64,
        _ => 32,
    };

    [Fact]
    public void Read_Llama3RopeInNewDialect_ReadsItsParameters()
    {
        RopeParameters rope = ModelConfigReader.Read(TestData.ReferenceModel("llama"), null).Layers[0].Rope;

        Assert.Equal("llama3", rope.Type);
        Assert.Equal(500_000, rope.Theta);
        Assert.Equal(8, rope.Factor);
        Assert.Equal(64, rope.OriginalMaxPositions);
    }

    [Fact]
    public void Read_BothDialectsOfOneModel_GiveTheSameRope()
    {
        ModelConfig older = ReadText($$$"""
            {"architectures": ["LlamaForCausalLM"], {{{Small}}}, "torch_dtype": "float16", "rope_theta": 500000.0,
             "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512, "truncate": false}}
            """);
        ModelConfig newer = ReadText($$$"""
            {"architectures": ["LlamaForCausalLM"], {{{Small}}}, "dtype": "float16",
             "rope_parameters": {"rope_type": "yarn", "rope_theta": 500000.0, "factor": 4.0,
             "original_max_position_embeddings": 512, "truncate": false}}
            """);

        Assert.Equal(older.Layers[0].Rope, newer.Layers[0].Rope with { ShortFactors = older.Layers[0].Rope.ShortFactors, LongFactors = older.Layers[0].Rope.LongFactors });
        Assert.Equal("yarn", newer.Layers[0].Rope.Type);
        Assert.Equal(DType.Float16, older.StoredType);
        Assert.Equal(2048, newer.MaxPositions);
    }

    [Fact]
    public void Read_RopeOfEachLayerType_GivesEachLayerItsOwn()
    {
        ModelConfig config = ModelConfigReader.Read(TestData.ReferenceModel("gemma3"), null);

        Assert.Equal([16, 16, 0], config.Layers.Select(layer => layer.Window));
        Assert.Equal([10_000, 10_000, 1_000_000], config.Layers.Select(layer => layer.Rope.Theta));
    }

    [Fact]
    public void Read_OlderGemma3WithNestedText_FillsWhatTheFileLeavesOut()
    {
        ModelConfig config = ReadText("""
            {"architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106], "torch_dtype": "bfloat16",
             "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024,
             "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}, "vision_config": {"hidden_size": 1152}}
            """);

        Assert.Equal((2560, 8, 4, 256, 262208), (config.HiddenSize, config.Heads, config.KvHeads, config.HeadDim, config.VocabularySize));
        Assert.Equal([1, 106], config.EosTokenIds);
        Assert.Equal(131_072, config.MaxPositions);
        Assert.Equal(1024, config.Layers[4].Window);
        Assert.Equal(("default", 10_000), (config.Layers[4].Rope.Type, config.Layers[4].Rope.Theta));
        Assert.Equal(0, config.Layers[5].Window);
        Assert.Equal(("linear", 1_000_000), (config.Layers[5].Rope.Type, config.Layers[5].Rope.Theta));
        Assert.True(config.TieWordEmbeddings);
    }

    [Fact]
    public void Read_OlderGemma2WithoutLayerTypes_SlidesEveryOtherLayer()
    {
        ModelConfig config = ReadText($$$"""
            {"architectures": ["Gemma2ForCausalLM"], {{{Small}}}, "head_dim": 16, "query_pre_attn_scalar": 64, "sliding_window": 32,
             "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
            """);

        Assert.Equal([32, 0, 32, 0], config.Layers.Select(layer => layer.Window));
        Assert.Equal((0.125f, 50f, 30f), (config.AttentionScale, config.AttentionSoftCap, config.LogitSoftCap));
    }

    [Theory]
    [InlineData("""{"use_sliding_window": false, "sliding_window": 32, "max_window_layers": 1}""", new[] { 0, 0, 0, 0 })]
    [InlineData("""{"use_sliding_window": true, "sliding_window": 32, "max_window_layers": 1}""", new[] { 0, 32, 32, 32 })]
    [InlineData("""{"use_sliding_window": true, "sliding_window": null, "max_window_layers": 1}""", new[] { 0, 0, 0, 0 })]
    public void Read_Qwen2Windows_FollowItsSwitches(string overrides, int[] windows)
    {
        ModelConfig config = ReadText($$$"""{"architectures": ["Qwen2ForCausalLM"], {{{Small}}}, "head_dim": null}""", overrides);

        Assert.Equal(windows, config.Layers.Select(layer => layer.Window));
        Assert.True(config.AttentionBias);
        Assert.Equal(16, config.HeadDim);
    }

    [Fact]
    public void Read_Phi3LongRope_TakesTheRatioOfLengthsAsFactor()
    {
        ModelConfig config = ReadText($$$"""
            {"architectures": ["Phi3ForCausalLM"], {{{Small}}}, "original_max_position_embeddings": 512, "partial_rotary_factor": 0.5,
             "rope_scaling": {"type": "su", "short_factor": [1, 1, 1.5, 2], "long_factor": [1, 2, 3, 4]}}
            """);

        RopeParameters rope = config.Layers[0].Rope;
        Assert.Equal(("longrope", 4.0, 512, 8), (rope.Type, rope.Factor, rope.OriginalMaxPositions, rope.RotaryDim(16)));
        Assert.Equal([1, 2, 3, 4], rope.LongFactors);
        Assert.Equal(2048, config.MaxPositions);
    }

    [Fact]
    public void Read_DeepSeekV3AsReleased_CachesTheLatentOnlyAndSharpensTheScores()
    {
        ModelConfig config = ReadText("""
            {"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1,
             "first_k_dense_replace": 3, "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512,
             "max_position_embeddings": 163840, "model_type": "deepseek_v3", "moe_intermediate_size": 2048, "moe_layer_freq": 1,
             "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 128,
             "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128, "num_nextn_predict_layers": 1,
             "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
             "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
             "original_max_position_embeddings": 4096, "type": "yarn"}, "rope_theta": 10000, "routed_scaling_factor": 2.5,
             "scoring_func": "sigmoid", "tie_word_embeddings": false, "topk_group": 4, "topk_method": "noaux_tc",
             "torch_dtype": "bfloat16", "v_head_dim": 128, "vocab_size": 129280}
            """);

        Assert.Equal(70_272, config.KvBytesPerToken(DType.BFloat16));
        Assert.Equal(new KvCacheShape(1, 576, 512, ValuesInKeys: true), config.KvCache);
        Assert.Equal((128 * 192, 128 * 128), (config.ProjectedWidth, config.AttendedWidth));
        double mscale = (0.1 * Math.Log(40)) + 1;
        Assert.Equal(mscale * mscale / Math.Sqrt(192), config.AttentionScale, 1e-7);
        Assert.Equal(163_840, config.MaxPositions);
        Assert.Equal(ModelFeatures.Experts | ModelFeatures.LatentAttention, config.RequiredFeatures);
        Assert.Equal((8, 4, 8, 2.5f), (config.Moe!.Routing.Groups, config.Moe.Routing.ChosenGroups, config.Moe.Routing.ChosenExperts, config.Moe.Routing.Scale));
        Assert.Equal([false, false, false, true], config.Moe.SparseLayers.Take(4));
        Assert.True(config.Latent!.InterleavedRope);
    }

    [Theory]
    [InlineData("""{"kv_lora_rank": null}""", "kv_lora_rank")]
    [InlineData("""{"kv_lora_rank": 50}""", "kv_lora_rank")]
    [InlineData("""{"v_head_dim": 24}""", "v_head_dim")]
    [InlineData("""{"qk_rope_head_dim": 15}""", "rotated")]
    [InlineData("""{"qk_nope_head_dim": 0}""", "qk_nope_head_dim")]
    [InlineData("""{"q_lora_rank": -1}""", "q_lora_rank")]
    [InlineData("""{"num_attention_heads": 65536, "num_key_value_heads": 65536}""", "num_attention_heads")]
    [InlineData("""{"topk_method": "best"}""", "topk_method")]
    [InlineData("""{"scoring_func": "relu"}""", "scoring_func")]
    [InlineData("""{"topk_group": 5}""", "topk_group")]
    public void Read_WrongLatentAttentionOrRouting_NamesIt(string overrides, string named)
    {
        var error = Assert.Throws<UserErrorException>(() => ModelConfigReader.Read(TestData.ReferenceModel("deepseek-v3"), overrides));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Read_OverriddenRope_WinsOverTheFile()
    {
        ModelConfig config = ModelConfigReader.Read(
            TestData.ReferenceModel("qwen3"),
            """{"rope_theta": 5000, "rope_scaling": {"rope_type": "linear", "factor": 2.0}, "num_hidden_layers": 1}""");

        Assert.Equal(("linear", 2.0, 5000), (config.Layers[0].Rope.Type, config.Layers[0].Rope.Factor, config.Layers[0].Rope.Theta));
        Assert.Equal(1024, config.MaxPositions);
        Assert.Equal(1, config.LayerCount);
    }

    [Fact]
    public void Read_EosOfBothFiles_AreUnited()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", $$$"""{"architectures": ["LlamaForCausalLM"], {{{Small}}}, "eos_token_id": 2}""");
        folder.Write("generation_config.json", """{"eos_token_id": [2, 7], "temperature": 0.6, "top_k": 20}""");

        Assert.Equal([2, 7], ModelConfigReader.Read(folder.Path, null).EosTokenIds);
        GenerationDefaults defaults = GenerationDefaults.Read(folder.Path, "auto", """{"top_k": 5}""");
        Assert.Equal((0.6f, 5), (defaults.Temperature, defaults.TopK));
        Assert.Null(GenerationDefaults.Read(folder.Path, "vllm", null).Temperature);
    }

    [Theory]
    [InlineData("""{"num_attention_heads": 3}""", "num_attention_heads")]
    [InlineData("""{"hidden_size": 66}""", "hidden_size")]
    [InlineData("""{"num_hidden_layers": 0}""", "num_hidden_layers")]
    [InlineData("""{"num_hidden_layers": 1000000000}""", "num_hidden_layers")]
    [InlineData("""{"num_hidden_layers": 2.5}""", "num_hidden_layers")]
    [InlineData("""{"num_hidden_layers": "4"}""", "num_hidden_layers")]
    [InlineData("""{"hidden_size": null}""", "hidden_size")]
    [InlineData("""{"vocab_size": -1}""", "vocab_size")]
    [InlineData("""{"rms_norm_eps": 0}""", "rms_norm_eps")]
    [InlineData("""{"hidden_act": "relu"}""", "relu")]
    [InlineData("""{"torch_dtype": "int8"}""", "int8")]
    [InlineData("""{"eos_token_id": 100}""", "eos_token_id")]
    [InlineData("""{"eos_token_id": -1}""", "eos_token_id")]
    [InlineData("""{"rope_scaling": {"type": "ntk2", "factor": 2}}""", "ntk2")]
    [InlineData("""{"rope_scaling": {"type": "linear"}}""", "factor")]
    [InlineData("""{"rope_scaling": {"type": "llama3", "factor": 8}}""", "original_max_position_embeddings")]
    [InlineData("""{"rope_scaling": {"type": "longrope", "short_factor": [1], "long_factor": [1]}}""", "short_factor")]
    [InlineData("""{"rope_scaling": 3}""", "rope_scaling")]
    [InlineData("""{"rope_theta": -1}""", "rope_theta")]
    [InlineData("""{"layer_types": ["full_attention"]}""", "layer_types")]
    [InlineData("""{"layer_types": ["full_attention", "linear_attention", "full_attention", "full_attention"]}""", "linear_attention")]
    [InlineData("""{"quantization_config": {"quant_method": "awq"}}""", "awq")]
    [InlineData("""{"architectures": ["DeepseekV3ForCausalLM"]}""", "kv_lora_rank")]
    [InlineData("""{"architectures": ["NoSuchModel"]}""", "LlamaForCausalLM")]
    [InlineData("""{"architectures": []}""", "architectures")]
    [InlineData("""{"architectures": null}""", "architectures")]
    [InlineData("""{"a": 1, "a": 2}""", "--hf-overrides")]
    [InlineData("""[]""", "--hf-overrides")]
    [InlineData("""{""", "--hf-overrides")]
    public void Read_WrongValue_NamesIt(string overrides, string named)
    {
        var error = Assert.Throws<UserErrorException>(
            () => ReadText($$$"""{"architectures": ["LlamaForCausalLM"], {{{Small}}}}""", overrides));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[1]")]
    [InlineData("{\"architectures\": [\"\\ud800\"]}")]
    [InlineData("{\"vocab_size\": 1, \"vocab_size\": 2}")]
    public void Read_DamagedFile_NamesTheFile(string content)
    {
        var error = Assert.Throws<UserErrorException>(() => ReadText(content));

        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(TestData.ReferenceModels), MemberType = typeof(TestData))]
    public void Read_AnyValueReplaced_IsReadOrRefusedCleanly(string name)
    {
        string folder = TestData.ReferenceModel(name);
        string[] values = ["null", "-1", "0", "1", "3", "0.5", "1e400", "2147483648", "\"x\"", "[]", "[0]", "[\"x\"]", "{}", "{\"rope_type\": 1}", "true"];
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
        IEnumerable<string> keys = config.RootElement.EnumerateObject().Select(static property => property.Name)
            .Concat(["rope_scaling", "rope_theta", "partial_rotary_factor", "text_config", "quantization_config", "sliding_window_pattern"]);
        foreach (string key in keys)
        {
            foreach (string value in values)
            {
                try
                {
                    ModelConfig read = ModelConfigReader.Read(folder, "{\"" + key + "\": " + value + "}");
                    var limits = new BuildLimits(16, read.MaxPositions);
                    Assert.True(ModelMemory.Plan(read, limits, null, DType.Float32, DType.Float32).WeightBytes > 0);
                }
                catch (UserErrorException e)
                {
                    Assert.DoesNotContain('\n', e.Message);
                }
            }
        }
    }

    [Fact]
    public void Read_NoFolderOrNoFile_SaysSo()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains("config.json", Assert.Throws<UserErrorException>(() => ModelConfigReader.Read(folder.Path, null)).Message, StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<UserErrorException>(() => ModelConfigReader.Read(folder.Path + "x", null)).Message, StringComparison.Ordinal);
    }

    private static ModelConfig ReadText(string config, string? overrides = null)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", config);
        return ModelConfigReader.Read(folder.Path, overrides);
    }
}
