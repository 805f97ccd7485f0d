using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>What follows attention in a layer: dense or a mixture of experts.</summary>
internal interface IFeedForward
{
    /// <param name="backend">Device.</param>
    /// <param name="buffers">The step's buffers; <see cref="DecoderBuffers.Projected"/> receives the result.</param>
    /// <param name="input">[tokens, hiddenSize].</param>
    void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input);
}
