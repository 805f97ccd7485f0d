using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>down(f(gate(x)) * up(x)), with gate and up fused in one projection.</summary>
/// <param name="gateUp">To [gate | up].</param>
/// <param name="down">Back to the hidden size.</param>
/// <param name="activation">f.</param>
internal sealed class GatedMlp(Linear gateUp, Linear down, Activation activation)
{
    /// <param name="backend">Device.</param>
    /// <param name="buffers">The step's buffers; <see cref="DecoderBuffers.Projected"/> receives the result.</param>
    /// <param name="input">[tokens, hiddenSize].</param>
    public void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input)
    {
        gateUp.Forward(backend, buffers.GateUp, input);
        backend.GatedActivation(buffers.Gated, buffers.GateUp, activation);
        down.Forward(backend, buffers.Projected, buffers.Gated);
    }
}
