namespace Sluice.Models;

/// <summary>Qwen3 (dense): Llama's layers with a norm on each head of queries and keys.</summary>
internal static class Qwen3
{
    public static ModelFamily Family { get; } = new() { Configure = Configure };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        Layers = Qwen2.ReadLayers(source, config.LayerCount),
    };
}
