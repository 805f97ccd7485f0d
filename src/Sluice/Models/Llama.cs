namespace Sluice.Models;

/// <summary>Llama 2 and 3.x and the many checkpoints of that shape.</summary>
internal static class Llama
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        MlpBias = source.Flag("mlp_bias") ?? false,
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false),
    };

    /// <summary>The layer that most dense families share; their differences are in the configuration.</summary>
    public static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        int hiddenSize = builder.Config.HiddenSize;
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize),
            LayerParts.Attention(builder, prefix, index),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize),
            LayerParts.GatedMlp(builder, prefix));
    }
}
