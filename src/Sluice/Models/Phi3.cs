namespace Sluice.Models;

/// <summary>Phi-3, Phi-3.5 and Phi-4: Llama's layers with query-key-value and gate-up fused in the checkpoint.</summary>
internal static class Phi3
{
    public static ModelFamily Family { get; } = new() { Configure = Configure };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => true),
    };
}
