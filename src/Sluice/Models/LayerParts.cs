using Sluice.Compute;
using Sluice.Layers;

namespace Sluice.Models;

/// <summary>The parts of a layer under the names that most checkpoints give their tensors.</summary>
internal static class LayerParts
{
    /// <summary>Attention with q_proj, k_proj and v_proj fused into one matrix, and o_proj.</summary>
    /// <param name="builder">Source of weights.</param>
    /// <param name="prefix">Such as <c>model.layers.0.</c></param>
    /// <param name="index">Layer.</param>
    /// <param name="queryNorm">Norm of queries, when the family has one.</param>
    /// <param name="keyNorm">Norm of keys, when the family has one.</param>
    /// <param name="sinks">As in <see cref="AttentionShape"/>; none for most families.</param>
    public static Attention Attention(ModelBuilder builder, string prefix, int index, Norm? queryNorm = null, Norm? keyNorm = null, Tensor sinks = default)
    {
        ModelConfig config = builder.Config;
        int keyWidth = config.KvHeads * config.HeadDim;
        Linear queryKeyValue = builder.Linear(
            config.HiddenSize,
            config.AttentionBias,
            (prefix + "self_attn.q_proj", config.Heads * config.HeadDim),
            (prefix + "self_attn.k_proj", keyWidth),
            (prefix + "self_attn.v_proj", keyWidth));
        return Attention(builder, prefix, index, queryKeyValue, queryNorm, keyNorm, sinks);
    }

    /// <summary>Attention with a projection that the family has made, and o_proj.</summary>
    public static Attention Attention(
        ModelBuilder builder, string prefix, int index, Linear queryKeyValue, Norm? queryNorm = null, Norm? keyNorm = null, Tensor sinks = default)
    {
        ModelConfig config = builder.Config;
        LayerConfig layer = config.Layers[index];
        return new Attention(
            queryKeyValue,
            builder.Linear(prefix + "self_attn.o_proj", config.HiddenSize, config.Heads * config.HeadDim, config.AttentionOutputBias),
            builder.Rotary(layer.Rope, config.HeadDim),
            new AttentionShape(config.Heads, config.KvHeads, config.HeadDim, config.AttentionScale, layer.Window, config.AttentionSoftCap, sinks),
            queryNorm,
            keyNorm);
    }

    /// <summary>Feed-forward with gate_proj and up_proj fused into one matrix, and down_proj.</summary>
    public static GatedMlp GatedMlp(ModelBuilder builder, string prefix)
    {
        ModelConfig config = builder.Config;
        Linear gateUp = builder.Linear(
            config.HiddenSize,
            config.MlpBias,
            (prefix + "mlp.gate_proj", config.IntermediateSize),
            (prefix + "mlp.up_proj", config.IntermediateSize));
        return GatedMlp(builder, prefix, gateUp);
    }

    /// <summary>Feed-forward with a projection that the family has made, and down_proj.</summary>
    public static GatedMlp GatedMlp(ModelBuilder builder, string prefix, Linear gateUp)
    {
        ModelConfig config = builder.Config;
        Linear down = builder.Linear(prefix + "mlp.down_proj", config.HiddenSize, config.IntermediateSize, config.MlpBias);
        return new GatedMlp(gateUp, down, config.Activation);
    }
}
