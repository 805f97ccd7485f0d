namespace Sluice.Models;

/// <summary>Qwen2 and Qwen2.5: Llama's layers with biases on query, key and value.</summary>
internal static class Qwen2
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, Llama.CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = true,
        Layers = ReadLayers(source, config.LayerCount),
    };

    /// <summary>Layers from <c>max_window_layers</c> on slide, and only when <c>use_sliding_window</c> is set.</summary>
    public static IReadOnlyList<LayerConfig> ReadLayers(ConfigObject source, int layerCount)
    {
        bool useWindow = source.Flag("use_sliding_window") ?? false;
        int firstSliding = source.Integer("max_window_layers") ?? layerCount;
        IReadOnlyList<LayerConfig> layers = LayerConfigReader.Read(source, layerCount, index => index >= firstSliding);
        return useWindow ? layers : [.. layers.Select(layer => layer with { Window = 0 })];
    }
}
