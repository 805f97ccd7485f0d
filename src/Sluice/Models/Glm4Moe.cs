using Sluice.Layers;

namespace Sluice.Models;

/// <summary>GLM-4-MoE (GLM-4.5 and later): the first layers dense, then experts in groups with shared ones beside them.</summary>
internal static class Glm4Moe
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        HeadNorms = source.Flag("use_qk_norm") ?? false,
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false),
        Moe = MoeConfigReader.ReadGrouped(source, config.LayerCount, scoring: "sigmoid", method: "noaux_tc"),
    };

    private static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        ModelConfig config = builder.Config;
        Norm? queryNorm = config.HeadNorms ? builder.Norm(prefix + "self_attn.q_norm", config.HeadDim) : null;
        Norm? keyNorm = config.HeadNorms ? builder.Norm(prefix + "self_attn.k_norm", config.HeadDim) : null;
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", config.HiddenSize),
            LayerParts.Attention(builder, prefix, index, queryNorm, keyNorm),
            builder.Norm(prefix + "post_attention_layernorm", config.HiddenSize),
            MoeParts.FeedForward(builder, prefix, index));
    }
}
