using Sluice.Layers;

namespace Sluice.Models;

/// <summary>Qwen3 (dense): Llama's layers with a norm on each head of queries and keys.</summary>
internal static class Qwen3
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
    };

    /// <summary>What Qwen3 and Qwen3-MoE have in common.</summary>
    public static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        Layers = Qwen2.ReadLayers(source, config.LayerCount),
    };

    /// <summary>The layer of the dense and the mixed family; which of the two is in the configuration.</summary>
    public static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        int hiddenSize = builder.Config.HiddenSize;
        Norm queryNorm = builder.Norm(prefix + "self_attn.q_norm", builder.Config.HeadDim);
        Norm keyNorm = builder.Norm(prefix + "self_attn.k_norm", builder.Config.HeadDim);
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize),
            LayerParts.Attention(builder, prefix, index, queryNorm, keyNorm),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize),
            MoeParts.FeedForward(builder, prefix, index));
    }
}
