using Sluice.Execution;
using Sluice.Layers;

namespace Sluice.Models;

/// <summary>OLMo 2: norms after attention and feed-forward instead of before, and on whole queries and keys.</summary>
internal static class Olmo2
{
    public static ModelFamily Family { get; } = new() { Configure = Configure, Create = static builder => new Olmo2Decoder(builder) };

    private static ModelConfig Configure(ConfigObject source, ModelConfig config) => config with
    {
        AttentionBias = source.Flag("attention_bias") ?? false,
        AttentionOutputBias = source.Flag("attention_bias") ?? false,
        Layers = LayerConfigReader.Read(source, config.LayerCount, static _ => false),
    };
}

/// <summary>OLMo 2's order of things: x += norm(attention(x)); x += norm(mlp(x)).</summary>
internal sealed class Olmo2Decoder : Decoder
{
    private readonly Layer[] _layers;

    public Olmo2Decoder(ModelBuilder builder)
        : base(builder)
    {
        _layers = new Layer[builder.Config.LayerCount];
        for (int index = 0; index < _layers.Length; index++)
        {
            _layers[index] = CreateLayer(builder, index);
        }
    }

    protected override void ForwardLayers(in DecoderBuffers buffers, in BatchInputs inputs)
    {
        for (int index = 0; index < _layers.Length; index++)
        {
            Layer layer = _layers[index];
            layer.Attention.Forward(Backend, buffers, buffers.Residual, inputs.KvLayers[index], inputs.Plan);
            layer.PostAttentionNorm.Forward(Backend, buffers.Projected, buffers.Projected);
            Backend.Add(buffers.Residual, buffers.Projected);
            layer.Mlp.Forward(Backend, buffers, buffers.Residual);
            layer.PostMlpNorm.Forward(Backend, buffers.Projected, buffers.Projected);
            Backend.Add(buffers.Residual, buffers.Projected);
        }
    }

    private static Layer CreateLayer(ModelBuilder builder, int index)
    {
        ModelConfig config = builder.Config;
        string prefix = $"model.layers.{index}.";
        // Not a norm of each head: all queries of a token are one group, and all keys.
        Norm queryNorm = builder.Norm(prefix + "self_attn.q_norm", config.Heads * config.HeadDim);
        Norm keyNorm = builder.Norm(prefix + "self_attn.k_norm", config.KvHeads * config.HeadDim);
        return new Layer(
            LayerParts.Attention(builder, prefix, index, queryNorm, keyNorm),
            builder.Norm(prefix + "post_attention_layernorm", config.HiddenSize),
            LayerParts.GatedMlp(builder, prefix),
            builder.Norm(prefix + "post_feedforward_layernorm", config.HiddenSize));
    }

    private sealed record Layer(Attention Attention, Norm PostAttentionNorm, GatedMlp Mlp, Norm PostMlpNorm);
}
