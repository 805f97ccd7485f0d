namespace Sluice.Models;

/// <summary>OLMo 2: norms after attention and feed-forward instead of before, and on whole queries and keys.</summary>
internal static class Olmo2
{
    public static ModelFamily Family { get; } = new() { Configure = Configure };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false),
    };
}
