using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>How mixtures of experts are configured, and what is said of damaged ones.</summary>
public sealed class MoeTests
{
    [Fact]
    public void Read_Grouped_ReadsTheRule()
    {
        MoeConfig moe = Read("glm4-moe", """{"n_group": 4, "topk_group": 2, "num_experts_per_tok": 3, "routed_scaling_factor": 2.5, "n_shared_experts": 2}""").Moe!;

        Assert.Equal(
            new Routing(8, 3)
            {
                Score = RoutingScore.Sigmoid, Groups = 4, ChosenGroups = 2, GroupScore = GroupScore.SumOfTwoBest, Normalize = true, Scale = 2.5f,
            },
            moe.Routing);
        Assert.Equal((64, 128, true), (moe.ExpertWidth, moe.SharedWidth, moe.HasCorrection));
        Assert.Equal([false, true], moe.SparseLayers);
    }

    [Fact]
    public void Read_DenseLayersOfQwen3_AreThoseThatTheFileNames()
    {
        Assert.Equal([true, false], Read("qwen3-moe", """{"mlp_only_layers": [1]}""").Moe!.SparseLayers);
        Assert.Equal([false, true], Read("qwen3-moe", """{"decoder_sparse_step": 2}""").Moe!.SparseLayers);
    }

    [Theory]
    [InlineData("glm4-moe", """{"scoring_func": "tanh"}""", "\"scoring_func\" \"tanh\" is not supported; supported are softmax and sigmoid")]
    [InlineData("glm4-moe", """{"topk_method": "lottery"}""", "\"topk_method\" \"lottery\" is not supported")]
    [InlineData("glm4-moe", """{"n_group": 3}""", "8 experts are not 3 equal groups")]
    [InlineData("glm4-moe", """{"n_group": 4, "topk_group": 5}""", "5 of 4 groups cannot be chosen")]
    [InlineData("glm4-moe", """{"n_group": 4, "topk_group": 1, "num_experts_per_tok": 3}""", "3 experts of a token cannot come from 1 groups of 2")]
    [InlineData("glm4-moe", """{"n_group": 8}""", "no two best ones")]
    [InlineData("glm4-moe", """{"n_routed_experts": null}""", "\"n_routed_experts\" is missing")]
    [InlineData("glm4-moe", """{"moe_intermediate_size": 0}""", "\"moe_intermediate_size\" is 0")]
    [InlineData("mixtral", """{"num_experts_per_tok": 5}""", "5 experts of a token cannot come from 1 groups of 4")]
    [InlineData("qwen3-moe", """{"num_local_experts": 99999}""", "\"num_local_experts\" is 99999")]
    public void Read_NumbersThatDoNotFit_NamesKeyAndRule(string name, string overrides, string named)
    {
        var error = Assert.Throws<UserErrorException>(() => Read(name, overrides));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mixtral", "model.layers.0.block_sparse_moe.gate.weight", """{"num_local_experts": 3}""")]
    [InlineData("qwen3-moe", "model.layers.0.mlp.gate.weight", """{"num_local_experts": 16}""")]
    [InlineData("glm4-moe", "model.layers.1.mlp.gate.weight", """{"n_routed_experts": 6}""")]
    public void Load_RouterUnlikeTheConfig_NamesTensorAndRule(string name, string tensor, string overrides)
    {
        string message = LoadBroken(TestData.ReferenceModel(name), overrides);

        Assert.Contains(tensor + " has the shape [", message, StringComparison.Ordinal);
        Assert.Contains("the router has a row for each of the", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mixtral", "model.layers.1.block_sparse_moe.experts.2.w3.weight")]
    [InlineData("qwen3-moe", "model.layers.0.mlp.experts.7.down_proj.weight")]
    [InlineData("glm4-moe", "model.layers.1.mlp.experts.0.up_proj.weight")]
    [InlineData("glm4-moe", "model.layers.1.mlp.shared_experts.gate_proj.weight")]
    [InlineData("glm4-moe", "model.layers.1.mlp.gate.e_score_correction_bias")]
    public void Load_ExpertMissing_NamesItsTensor(string name, string tensor)
    {
        using var folder = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(TestData.ReferenceModel(name)))
        {
            File.Copy(file, Path.Combine(folder.Path, Path.GetFileName(file)));
        }

        string path = Path.Combine(folder.Path, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes($"\"{tensor}\"")) + 1] = (byte)'X';
        File.WriteAllBytes(path, bytes);

        Assert.Contains(tensor + " [", LoadBroken(folder.Path, null), StringComparison.Ordinal);
    }

    [Fact]
    public void Plan_MoreExperts_CountsEachOfThem()
    {
        var limits = new BuildLimits(64, 64);
        ModelMemory eight = ModelMemory.Plan(Read("qwen3-moe", null), limits, null, DType.Float32, DType.Float32);
        ModelMemory sixteen = ModelMemory.Plan(Read("qwen3-moe", """{"num_local_experts": 16}"""), limits, null, DType.Float32, DType.Float32);

        // Two layers; gate, up and down of 64 x 128 and a row of the router for each expert, in bfloat16.
        Assert.Equal(2 * 8 * ((3 * 64 * 128) + 128) * 2, sixteen.WeightBytes - eight.WeightBytes);
        Assert.Equal(64 * 8 * sizeof(float), sixteen.WorkspaceBytes - eight.WorkspaceBytes);
    }

    private static ModelConfig Read(string name, string? overrides) => ModelConfigReader.Read(TestData.ReferenceModel(name), overrides);

    private static string LoadBroken(string folder, string? overrides)
    {
        using var backend = new CpuBackend(1);
        return Assert.Throws<UserErrorException>(() => ModelLoader.Load(
            new EngineOptions { Model = folder, HfOverrides = overrides }, backend, 64, null, TestContext.Current.CancellationToken)).Message;
    }
}
