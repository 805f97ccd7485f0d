using Sluice.Layers;

namespace Sluice.Models;

/// <summary>
/// Gemma 3: Gemma 2's layers with a norm on each head of queries and keys, five sliding layers to a full one, and rotary
/// parameters of their own for both kinds.
/// </summary>
internal static class Gemma3
{
    // What the files of the released models leave to the defaults of their configuration class.
    private const string Defaults = """
        {
          "attention_bias": false, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 131072,
          "num_attention_heads": 8, "num_key_value_heads": 4, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-6,
          "rope_local_base_freq": 10000, "rope_theta": 1000000, "sliding_window": 4096, "sliding_window_pattern": 6,
          "tie_word_embeddings": true, "vocab_size": 262208
        }
        """;

    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => CreateModel(builder, "model."),
        Defaults = Defaults,
        PositionsIncludeScaling = true,
    };

    /// <summary>The language part of the image-and-text checkpoints; image weights are not used.</summary>
    public static ModelFamily LanguagePart { get; } = Family with
    {
        Create = static builder => CreateModel(builder, "language_model.model."),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        AttentionScale = (float)(1 / Math.Sqrt(source.Positive("query_pre_attn_scalar") ?? 256)),
        AttentionSoftCap = (float)(source.Positive("attn_logit_softcapping") ?? 0),
        LogitSoftCap = (float)(source.Positive("final_logit_softcapping") ?? 0),
        Layers = ReadLayers(source, config.LayerCount),
    };

    private static IReadOnlyList<LayerConfig> ReadLayers(ConfigObject source, int layerCount)
    {
        int pattern = source.Optional("_sliding_window_pattern", 1, int.MaxValue)
            ?? source.Required("sliding_window_pattern", 1, int.MaxValue);
        IReadOnlyList<LayerConfig> layers = LayerConfigReader.Read(source, layerCount, index => (index + 1) % pattern != 0);
        if (source.Object("rope_parameters") is not null)
        {
            return layers;
        }

        // The older dialect: rope_theta and rope_scaling are those of the full layers.
        var local = new RopeParameters { Theta = source.Positive("rope_local_base_freq") ?? 10_000 };
        return [.. layers.Select(layer => layer.Window > 0 ? layer with { Rope = local } : layer)];
    }

    private static SandwichNormDecoder CreateModel(ModelBuilder builder, string modelPrefix) =>
        new(builder, modelPrefix, (layerBuilder, index) => CreateLayer(layerBuilder, $"{modelPrefix}layers.{index}.", index));

    private static SandwichNormLayer CreateLayer(ModelBuilder builder, string prefix, int index)
    {
        const float offset = SandwichNormDecoder.GainOffset;
        int hiddenSize = builder.Config.HiddenSize;
        Norm queryNorm = builder.Norm(prefix + "self_attn.q_norm", builder.Config.HeadDim, offset);
        Norm keyNorm = builder.Norm(prefix + "self_attn.k_norm", builder.Config.HeadDim, offset);
        return new SandwichNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize, offset),
            LayerParts.Attention(builder, prefix, index, queryNorm, keyNorm),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize, offset),
            builder.Norm(prefix + "pre_feedforward_layernorm", hiddenSize, offset),
            LayerParts.GatedMlp(builder, prefix),
            builder.Norm(prefix + "post_feedforward_layernorm", hiddenSize, offset));
    }
}
