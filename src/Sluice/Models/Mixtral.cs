namespace Sluice.Models;

/// <summary>Mixtral: Mistral's layers with experts in the place of the feed-forward.</summary>
internal static class Mixtral
{
    private static readonly ExpertNames Names = new("w1", "w3", "w2");

    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => true),
        Moe = MoeConfigReader.ReadSoftmax(
            source, config.IntermediateSize, normalize: true, [.. Enumerable.Repeat(true, config.LayerCount)]),
    };

    private static PreNormLayer CreateLayer(ModelBuilder builder, int index)
    {
        string prefix = $"model.layers.{index}.";
        int hiddenSize = builder.Config.HiddenSize;
        return new PreNormLayer(
            builder.Norm(prefix + "input_layernorm", hiddenSize),
            LayerParts.Attention(builder, prefix, index),
            builder.Norm(prefix + "post_attention_layernorm", hiddenSize),
            MoeParts.Block(builder, prefix + "block_sparse_moe", Names));
    }
}
