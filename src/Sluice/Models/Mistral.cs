namespace Sluice.Models;

/// <summary>Mistral: Llama's layers, all of them with a sliding window where the file gives one.</summary>
internal static class Mistral
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, Llama.CreateLayer),
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => true),
    };
}
