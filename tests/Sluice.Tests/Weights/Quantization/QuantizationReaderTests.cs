using Sluice.Models;
using Sluice.Weights.Quantization;

namespace Sluice.Tests.Weights.Quantization;

public sealed class QuantizationReaderTests
{
    [Theory]
    [InlineData("""{"quant_method": "awq", "bits": 4}""", "\"awq\"", "fp8")]
    [InlineData("""{"bits": 4}""", "quant_method", "missing")]
    [InlineData("""{"quant_method": "fp8", "fmt": "e5m2"}""", "fmt", "e4m3")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [128]}""", "weight_block_size", "two sizes")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [128, 64]}""", "weight_block_size", "multiple of 128")]
    [InlineData("""{"quant_method": "fp8", "weight_block_size": [0, 128]}""", "weight_block_size", "[0, 128]")]
    [InlineData("""{"quant_method": "compressed-tensors", "format": "pack-quantized"}""", "format", "pack-quantized")]
    [InlineData("""{"quant_method": "compressed-tensors", "format": "float-quantized"}""", "config_groups", "missing")]
    [InlineData("""{"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "int"}}}}""", "int", "8 bits")]
    [InlineData("""{"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "group"}}}}""", "strategy", "group")]
    [InlineData("""{"quant_method": "compressed-tensors", "ignore": ["re:("], "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}}}""", "ignore", "expression")]
    [InlineData("""{"quant_method": "modelopt", "quant_algo": "NVFP4"}""", "quant_algo", "NVFP4")]
    public void Read_WhatIsNotSupported_NamesKeyAndRule(string config, string key, string rule)
    {
        var error = Assert.Throws<UserErrorException>(() => Read(config));

        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains(rule, error.Message, StringComparison.Ordinal);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Read_ModelOptFileBesideTheConfig_IsUsed()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Path.Combine(TestData.ReferenceModel("llama"), "config.json"), Path.Combine(folder.Path, "config.json"));
        folder.Write("hf_quant_config.json", """{"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}""");

        QuantizationConfig? read = ModelConfigReader.Read(folder.Path, null).Quantization;

        Assert.Equal("modelopt", read?.Method);
        Assert.True(read?.Ignored.Contains("lm_head"));
    }

    [Theory]
    [InlineData("lm_head", true)]
    [InlineData("model.layers.3.mlp.gate", true)]
    [InlineData("model.layers.3.mlp.gate_proj", false)]
    [InlineData("model.layers.30.mlp.up_proj", false)]
    [InlineData("model.layers.7.mlp.up_proj", true)]
    [InlineData("model.layers.70.mlp.up_proj", false)]
    [InlineData("model.layers.9.self_attn.q_proj", true)]
    [InlineData("model.layers.9.self_attn.kv_b_proj", true)]
    [InlineData("model.layers.9.mlp.down_proj", false)]
    public void Contains_NamesEndsBeginningsPatterns_AreMatchedAtDots(string module, bool expected) =>
        Assert.Equal(
            expected, ModuleList.Parse(["lm_head", "gate", "model.layers.7", "re:.*self_attn\\.q_proj$", "*kv_b_proj"]).Contains(module));

    [Theory]
    [InlineData(null, "awq", "fp8_per_channel")]
    [InlineData(null, "compressed-tensors", "quantization_config")]
    [InlineData("""{"quant_method": "fp8"}""", "fp8_per_channel", "\"fp8\" already")]
    [InlineData("""{"quant_method": "fp8"}""", "compressed-tensors", "\"fp8\" already")]
    public void Apply_FlagThatTheCheckpointContradicts_SaysWhy(string? config, string asked, string reason)
    {
        ModelConfig read = ModelConfigReader.Read(
            TestData.ReferenceModel("llama"), config is null ? null : $$"""{"quantization_config": {{config}}}""");

        var error = Assert.Throws<UserErrorException>(() => WeightQuantization.Apply(read, asked));

        Assert.StartsWith($"--quantization {asked}", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_TheCheckpointsOwnMethod_ChangesNothing()
    {
        ModelConfig read = ModelConfigReader.Read(TestData.ReferenceModel("llama"), """{"quantization_config": {"quant_method": "fp8"}}""");

        Assert.Same(read, WeightQuantization.Apply(read, "fp8"));
    }

    private static QuantizationConfig? Read(string config)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("config.json", $$"""{"quantization_config": {{config}}}""");
        return QuantizationReader.Read(ConfigObject.ReadFile(path, null, "--hf-overrides"));
    }
}
