namespace Sluice.Models;

/// <summary>Gemma 2: norms before and after each part of a layer, every other layer sliding, capped scores and logits.</summary>
internal static class Gemma2
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new SandwichNormDecoder(builder, "model.", CreateLayer),
        Defaults = """{"tie_word_embeddings": true, "hidden_activation": "gelu_pytorch_tanh"}""",
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        AttentionScale = (float)(1 / Math.Sqrt(source.Positive("query_pre_attn_scalar") ?? 256)),
        AttentionSoftCap = (float)(source.Positive("attn_logit_softcapping") ?? 0),
        LogitSoftCap = (float)(source.Positive("final_logit_softcapping") ?? 0),
        Layers = LayerConfigReader.Read(source, config.LayerCount, static index => index % 2 == 0),
    };

    private static SandwichNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        const float offset = SandwichNormDecoder.GainOffset;
        string prefix = $"model.layers.{index}.";
        int hiddenSize = builder.Config.HiddenSize;
        return new SandwichNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize, offset),
            LayerParts.Attention(builder, prefix, index),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize, offset),
            builder.Norm(prefix + "pre_feedforward_layernorm", hiddenSize, offset),
            LayerParts.GatedMlp(builder, prefix),
            builder.Norm(prefix + "post_feedforward_layernorm", hiddenSize, offset));
    }
}
