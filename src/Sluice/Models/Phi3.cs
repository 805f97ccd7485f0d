using Sluice.Layers;

namespace Sluice.Models;

/// <summary>Phi-3, Phi-3.5 and Phi-4: Llama's layers with query-key-value and gate-up fused in the checkpoint.</summary>
internal static class Phi3
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => true),
    };

    private static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        ModelConfig config = builder.Config;
        string prefix = $"model.layers.{index}.";
        int qkvWidth = (config.Heads + (2 * config.KvHeads)) * config.HeadDim;
        Linear queryKeyValue = builder.Linear(prefix + "self_attn.qkv_proj", qkvWidth, config.HiddenSize, bias: false);
        Linear gateUp = builder.Linear(prefix + "mlp.gate_up_proj", 2 * config.IntermediateSize, config.HiddenSize, bias: false);
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", config.HiddenSize),
            LayerParts.Attention(builder, prefix, index, queryKeyValue),
            builder.Norm(prefix + "post_attention_layernorm", config.HiddenSize),
            LayerParts.GatedMlp(builder, prefix, gateUp));
    }
}
