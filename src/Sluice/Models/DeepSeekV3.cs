namespace Sluice.Models;

/// <summary>
/// DeepSeek-V3, V3.1 and R1: V2's layers, with experts chosen by corrected sigmoid scores among the groups whose two best experts
/// are best. The layer after the last one in the files predicts a further token; it is not used.
/// </summary>
internal static class DeepSeekV3
{
    public static ModelFamily Family { get; } = new()
    {
        Configure = Configure,
        Create = static builder => new PreNormDecoder(builder, DeepSeekV2.CreateLayer),
        Defaults = """{"head_dim": 64, "norm_topk_prob": true}""",
        PositionsIncludeScaling = true,
    };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) =>
        LatentAttentionConfig.Configure(source, config, interleavedRope: source.Flag("rope_interleave") ?? true) with
        {
            Moe = MoeConfigReader.ReadGrouped(source, config.LayerCount, scoring: "sigmoid", method: "noaux_tc"),
        };
}
