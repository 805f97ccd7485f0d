using Sluice.Compute;

namespace Sluice.Models;

/// <summary>Gemma (the first): Llama's layers with gain - 1 stored, scaled embeddings and a gelu gate.</summary>
internal static class Gemma
{
    private const float GainOffset = 1;

    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = CreateModel,
        Defaults = """{"tie_word_embeddings": true, "hidden_act": "gelu_pytorch_tanh"}""",
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        // The released files say "gelu" and mean the tanh form that the model was trained with.
        Activation = source.Text("hidden_activation") is null ? Activation.GeluTanh : config.Activation,
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false),
    };

    private static PreNormDecoder CreateModel(ModelBuilder builder) =>
        new(builder, CreateLayer, embeddingScale: MathF.Sqrt(builder.Config.HiddenSize), gainOffset: GainOffset);

    private static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        int hiddenSize = builder.Config.HiddenSize;
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize, GainOffset),
            LayerParts.Attention(builder, prefix, index),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize, GainOffset),
            LayerParts.GatedMlp(builder, prefix));
    }
}
