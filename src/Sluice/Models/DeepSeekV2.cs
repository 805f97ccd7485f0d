namespace Sluice.Models;

/// <summary>
/// DeepSeek-V2 and V2-Lite: latent attention; the first layers dense, then experts by softmax, in V2 the groups with the best expert
/// first, and shared ones beside them.
/// </summary>
internal static class DeepSeekV2
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
        // Not in released files, where the hidden size need not be a multiple of the heads; latent attention has its own dimensions.
        Defaults = """{"head_dim": 64}""",
        PositionsIncludeScaling = true,
    };

    /// <summary>The layer that V2 and V3 share; their differences are in the configuration.</summary>
    public static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        int hiddenSize = builder.Config.HiddenSize;
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize),
            LatentParts.Attention(builder, prefix + "self_attn.", index),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize),
            MoeParts.FeedForward(builder, prefix, index));
    }

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) =>
        LatentAttentionConfig.Configure(source, config, interleavedRope: true) with
        {
            Moe = MoeConfigReader.ReadGrouped(source, config.LayerCount, scoring: "softmax", method: "greedy"),
        };
}
