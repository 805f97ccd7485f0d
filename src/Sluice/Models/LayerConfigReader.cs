namespace Sluice.Models;

/// <summary>Reads the kind (full or sliding attention) and the rotary parameters of each layer.</summary>
internal static class LayerConfigReader
{
    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";

    /// <param name="source">config.json.</param>
    /// <param name="layerCount">Number of layers.</param>
    /// <param name="slidesWhenUntyped">
    /// The family's rule for files without <c>layer_types</c>: true when the layer of this index slides. It applies only where
    /// the file gives a <c>sliding_window</c>.
    /// </param>
    public static IReadOnlyList<LayerConfig> Read(ConfigObject source, int layerCount, Func<int, bool> slidesWhenUntyped)
    {
        int window = source.Optional("sliding_window", 1, int.MaxValue) ?? 0;
        IReadOnlyList<string>? types = source.Texts("layer_types");
        if (types is not null && types.Count < layerCount)
        {
            throw source.Error($"\"layer_types\" has {types.Count} entries for {layerCount} layers");
        }

        RopeParameters? full = null;
        RopeParameters? sliding = null;
        var layers = new LayerConfig[layerCount];
        for (int index = 0; index < layerCount; index++)
        {
            bool slides = types is null ? window > 0 && slidesWhenUntyped(index) : IsSliding(source, types[index]);
            layers[index] = slides
                ? new LayerConfig(window, sliding ??= RopeReader.Read(source, Sliding))
                : new LayerConfig(0, full ??= RopeReader.Read(source, Full));
        }

        return layers;
    }

    private static bool IsSliding(ConfigObject source, string type) => type switch
    {
        Full => false,
        Sliding => true,
        _ => throw source.Error($"layer type \"{type}\" is not supported; supported are {Full} and {Sliding}"),
    };
}
