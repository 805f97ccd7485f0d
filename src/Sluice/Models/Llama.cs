namespace Sluice.Models;

/// <summary>Llama 2 and 3.x and the many checkpoints of that shape.</summary>
internal static class Llama
{
    public static ModelFamily Family { get; } = new() { Configure = Configure };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        MlpBias = source.Flag("mlp_bias") ?? false,
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false),
    };
}
