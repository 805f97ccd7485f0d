namespace Sluice.Models;

/// <summary>Qwen3-MoE: Qwen3's layers; those that the file does not name as dense have experts.</summary>
internal static class Qwen3Moe
{
    private const int MaxWidth = 1 << 20;

    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, Qwen3.CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => Qwen3.Configure(source, config) with
    {
        Moe = MoeConfigReader.ReadSoftmax(
            source,
            source.Required("moe_intermediate_size", 1, MaxWidth),
            normalize: source.Flag("norm_topk_prob") ?? false,
            ReadSparseLayers(source, config.LayerCount)),
    };

    private static bool[] ReadSparseLayers(ConfigObject source, int layerCount)
    {
        int step = source.Optional("decoder_sparse_step", 1, int.MaxValue) ?? 1;
        IReadOnlyList<int> dense = source.Integers("mlp_only_layers");
        var sparse = new bool[layerCount];
        for (int index = 0; index < layerCount; index++)
        {
            sparse[index] = (index + 1) % step == 0 && !dense.Contains(index);
        }

        return sparse;
    }
}
