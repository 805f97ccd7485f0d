using Sluice.Execution;
using Sluice.Layers;

namespace Sluice.Models;

/// <summary>A layer of <see cref="PreNormDecoder"/>.</summary>
internal sealed record PreNormLayer(Norm InputNorm, IAttention Attention, Norm PostAttentionNorm, IFeedForward FeedForward);

/// <summary>
/// Llama's order of things, which many families share: x += attention(norm(x)); x += mlp(norm(x)). Each addition is fused with
/// the norm that follows it.
/// </summary>
internal sealed class PreNormDecoder : Decoder
{
    private readonly PreNormLayer[] _layers;

    /// <param name="builder">Source of weights and buffers.</param>
    /// <param name="createLayer">Makes the layer of an index.</param>
    /// <param name="embeddingScale">Factor of the embedding.</param>
    /// <param name="gainOffset">1 for families that store the gain of norms minus 1.</param>
    public PreNormDecoder(
        ModelBuilder builder, Func<ModelBuilder, int, PreNormLayer> createLayer, float embeddingScale = 1, float gainOffset = 0)
        : base(builder, embeddingScale: embeddingScale, gainOffset: gainOffset)
    {
        _layers = new PreNormLayer[builder.Config.LayerCount];
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
            PreNormLayer layer = _layers[index];
            layer.Attention.Forward(Backend, buffers, buffers.Normed, inputs.KvLayers[index], inputs.Plan);
            layer.PostAttentionNorm.AddForward(Backend, buffers.Normed, buffers.Residual, buffers.Projected);
            layer.FeedForward.Forward(Backend, buffers, buffers.Normed);
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
