using Sluice.Compute;
using Sluice.Layers;
using Sluice.Weights;

namespace Sluice.Models;

/// <summary>Latent attention under the names that DeepSeek's checkpoints give its tensors.</summary>
internal static class LatentParts
{
    /// <param name="builder">Source of weights.</param>
    /// <param name="prefix">Such as <c>model.layers.0.self_attn.</c></param>
    /// <param name="index">Layer.</param>
    public static MlaAttention Attention(ModelBuilder builder, string prefix, int index)
    {
        ModelConfig config = builder.Config;
        LatentAttentionConfig latent = config.Latent!;
        int queryWidth = config.Heads * latent.QueryDim;
        bool hasQueryLatent = latent.QueryRank > 0;

        // In the checkpoint a head's key matrix and its value matrix follow each other: [heads, plainDim + valueDim, kvRank].
        int rowsPerHead = latent.PlainDim + latent.ValueDim;
        var keyRows = new HeadRows(config.Heads, rowsPerHead, 0, latent.PlainDim);
        var valueRows = new HeadRows(config.Heads, rowsPerHead, latent.PlainDim, latent.ValueDim);
        RotaryTable rotary = builder.Rotary(config.Layers[index].Rope, latent.RotaryDim) with
        {
            FirstElement = latent.KvRank,
            IsInterleaved = latent.InterleavedRope,
        };
        return new MlaAttention(
            hasQueryLatent
                ? builder.Linear(prefix + "q_b_proj", queryWidth, latent.QueryRank, bias: false)
                : builder.Linear(prefix + "q_proj", queryWidth, config.HiddenSize, bias: false),
            builder.Linear(prefix + "kv_a_proj_with_mqa", latent.CachedDim, config.HiddenSize, config.AttentionBias),
            builder.Norm(prefix + "kv_a_layernorm", latent.KvRank),
            builder.HeadMatrices(prefix + "kv_b_proj", latent.KvRank, keyRows, transposed: true),
            builder.HeadMatrices(prefix + "kv_b_proj", latent.KvRank, valueRows, transposed: false),
            builder.Linear(prefix + "o_proj", config.HiddenSize, config.Heads * latent.ValueDim, config.AttentionOutputBias),
            rotary,
            new AttentionShape(config.Heads, 1, latent.CachedDim, config.AttentionScale, Window: 0, SoftCap: 0))
        {
            QueryLatent = hasQueryLatent
                ? builder.Linear(prefix + "q_a_proj", latent.QueryRank, config.HiddenSize, config.AttentionBias)
                : null,
            QueryNorm = hasQueryLatent ? builder.Norm(prefix + "q_a_layernorm", latent.QueryRank) : null,
        };
    }

    /// <summary>The buffers of a model's latent attention.</summary>
    public static LatentBuffers Buffers(ModelBuilder builder, LatentAttentionConfig latent) => new(
        QueryLatent: latent.QueryRank > 0 ? builder.Buffer(latent.QueryRank) : null,
        KeyLatent: builder.Buffer(latent.CachedDim),
        AbsorbedQueries: builder.Buffer(builder.Config.Heads * latent.CachedDim),
        AttendedLatent: builder.Buffer(builder.Config.Heads * latent.KvRank));
}
