using Sluice.Execution;
using Sluice.Layers;

namespace Sluice.Models;

/// <summary>A layer of <see cref="SandwichNormDecoder"/>.</summary>
internal sealed record SandwichNormLayer(
    Norm InputNorm, Attention Attention, Norm PostAttentionNorm, Norm PreMlpNorm, GatedMlp Mlp, Norm PostMlpNorm);

/// <summary>
/// Gemma 2's and 3's order of things: x += norm(attention(norm(x))); x += norm(mlp(norm(x))). Gains are stored minus 1 and the
/// embedding is scaled by the root of the hidden size.
/// </summary>
internal sealed class SandwichNormDecoder : Decoder
{
    /// <summary>What is added to stored gains.</summary>
    public const float GainOffset = 1;

    private readonly SandwichNormLayer[] _layers;

    /// <param name="builder">Source of weights and buffers.</param>
    /// <param name="prefix">What the checkpoint's tensor names begin with.</param>
    /// <param name="createLayer">Makes the layer of an index.</param>
    public SandwichNormDecoder(ModelBuilder builder, string prefix, Func<ModelBuilder, int, SandwichNormLayer> createLayer)
        : base(builder, prefix, embeddingScale: MathF.Sqrt(builder.Config.HiddenSize), gainOffset: GainOffset)
    {
        _layers = new SandwichNormLayer[builder.Config.LayerCount];
        for (int index = 0; index < _layers.Length; index++)
        {
            _layers[index] = createLayer(builder, index);
        }
    }

    protected override void ForwardLayers(in DecoderBuffers buffers, in BatchInputs inputs)
    {
        _layers[0].InputNorm.Forward(Backend, buffers.Normed, buffers.Residual);
        for (int index = 0; index < _layers.Length; index++)
        {
            SandwichNormLayer layer = _layers[index];
            layer.Attention.Forward(Backend, buffers, buffers.Normed, inputs.KvLayers[index], inputs.Plan);
            layer.PostAttentionNorm.Forward(Backend, buffers.Projected, buffers.Projected);
            layer.PreMlpNorm.AddForward(Backend, buffers.Normed, buffers.Residual, buffers.Projected);
            layer.Mlp.Forward(Backend, buffers, buffers.Normed);
            layer.PostMlpNorm.Forward(Backend, buffers.Projected, buffers.Projected);
            if (index + 1 < _layers.Length)
            {
                _layers[index + 1].InputNorm.AddForward(Backend, buffers.Normed, buffers.Residual, buffers.Projected);
            }
            else
            {
                Backend.Add(buffers.Residual, buffers.Projected);
            }
        }
    }
}
