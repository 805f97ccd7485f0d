using Sluice.Layers;

namespace Sluice.Models;

/// <summary>The dimensions of latent attention.</summary>
internal sealed record LatentAttentionConfig
{
    // What is beyond is a damaged file, and must not become an allocation.
    private const int MaxWidth = 1 << 20;

    // Matrices of heads are stored in panels of this many rows.
    private const int PanelRows = 16;

    /// <summary>Elements of a query's latent; 0 where queries are projected directly.</summary>
    public required int QueryRank { get; init; }

    /// <summary>Elements of the latent that keys and values are made of.</summary>
    public required int KvRank { get; init; }

    /// <summary>Elements of a head's query and key that are not rotated.</summary>
    public required int PlainDim { get; init; }

    /// <summary>Elements of a head's query, and of the key that all heads share, that are rotated.</summary>
    public required int RotaryDim { get; init; }

    /// <summary>Elements of a head's value.</summary>
    public required int ValueDim { get; init; }

    /// <summary>Rotated pairs are neighbours.</summary>
    public bool InterleavedRope { get; init; } = true;

    /// <summary>Elements of a head's query.</summary>
    public int QueryDim => PlainDim + RotaryDim;

    /// <summary>Elements of what the cache holds of a token in a layer.</summary>
    public int CachedDim => KvRank + RotaryDim;

    /// <summary>Adds latent attention to a configuration: its dimensions, the scale of its scores and the rotation of its layers.</summary>
    public static ModelConfig Configure(ConfigObject source, ModelConfig config, bool interleavedRope)
    {
        var latent = new LatentAttentionConfig
        {
            QueryRank = source.Optional("q_lora_rank", 1, MaxWidth) ?? 0,
            KvRank = source.Required("kv_lora_rank", PanelRows, MaxWidth),
            PlainDim = source.Required("qk_nope_head_dim", 1, MaxWidth),
            RotaryDim = source.Required("qk_rope_head_dim", 2, MaxWidth),
            ValueDim = source.Required("v_head_dim", PanelRows, MaxWidth),
            InterleavedRope = interleavedRope,
        };
        RequirePanels(source, "kv_lora_rank", latent.KvRank);
        RequirePanels(source, "v_head_dim", latent.ValueDim);
        if ((long)config.Heads * Math.Max(latent.CachedDim, Math.Max(latent.QueryDim, latent.ValueDim)) > MaxWidth)
        {
            throw source.Error($"\"num_attention_heads\" {config.Heads} times the widest of \"kv_lora_rank\" + \"qk_rope_head_dim\", "
                + $"\"qk_nope_head_dim\" + \"qk_rope_head_dim\" and \"v_head_dim\" is over {MaxWidth}");
        }

        bool bias = source.Flag("attention_bias") ?? false;
        IReadOnlyList<LayerConfig> layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false);
        return config with
        {
            Latent = latent,
            // Of the rotated part: what else a head has depends on whether it is a query, a key or a value.
            HeadDim = latent.RotaryDim,
            KvHeads = 1,
            AttentionBias = bias,
            AttentionOutputBias = bias,
            AttentionScale = (float)(ScoreFactor(layers[0].Rope) / Math.Sqrt(latent.QueryDim)),
            Layers = layers,
        };
    }

    // YaRN's sharpening of the scores. The cosines and sines carry mscale / mscale_all_dim, for the rotated part only; this factor is
    // for queries and keys whole, so it counts twice.
    private static double ScoreFactor(RopeParameters rope) =>
        rope.Type == "yarn" && rope.MScaleAllDim != 0 ? Math.Pow(RotaryFrequencies.YarnScale(rope.Factor, rope.MScaleAllDim), 2) : 1;

    private static void RequirePanels(ConfigObject source, string name, int value)
    {
        if (value % PanelRows != 0)
        {
            throw source.Error($"\"{name}\" is {value}; a multiple of {PanelRows} was expected");
        }
    }
}
