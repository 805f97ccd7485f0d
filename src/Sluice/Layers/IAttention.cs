using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>The attention of a layer.</summary>
internal interface IAttention
{
    /// <param name="backend">Device.</param>
    /// <param name="buffers">The step's buffers; <see cref="DecoderBuffers.Projected"/> receives the result.</param>
    /// <param name="input">[tokens, hiddenSize].</param>
    /// <param name="cache">What the layer remembers of each token.</param>
    /// <param name="plan">Rows, positions, slots and block tables.</param>
    void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input, KvLayer cache, in AttentionPlan plan);
}
