using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>down(f(gate(x)) * up(x)), with gate and up fused in one projection.</summary>
/// <param name="gateUp">To [gate | up].</param>
/// <param name="down">Back to the hidden size.</param>
/// <param name="activation">f.</param>
internal sealed class GatedMlp(Linear gateUp, Linear down, Activation activation) : IFeedForward
{
    /// <inheritdoc/>
    public void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input)
    {
        Tensor fused = buffers.GateUp.Narrow(gateUp.OutFeatures);
        Tensor gated = buffers.Gated.Narrow(gateUp.OutFeatures / 2);
        gateUp.Forward(backend, fused, input);
        backend.GatedActivation(gated, fused, activation);
        down.Forward(backend, buffers.Projected, gated);
    }
}
