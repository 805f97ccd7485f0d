using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>down(f(gate(x)) * up(x)) with the matrices of a token's chosen experts.</summary>
/// <param name="gateUp">To [gate | up] for each expert.</param>
/// <param name="gateUpBias">float32 [experts, 2 * width], or none.</param>
/// <param name="down">Back to the hidden size for each expert.</param>
/// <param name="downBias">float32 [experts, hiddenSize], or none.</param>
/// <param name="activation">f.</param>
internal sealed class ExpertMlp(ExpertWeights gateUp, Tensor? gateUpBias, ExpertWeights down, Tensor? downBias, Activation activation)
{
    /// <param name="backend">Device.</param>
    /// <param name="buffers">The chosen experts; <see cref="ExpertBuffers.Output"/> receives the results.</param>
    /// <param name="input">[tokens, hiddenSize].</param>
    public void Forward(IBackend backend, in ExpertBuffers buffers, Tensor input)
    {
        backend.ExpertLinear(buffers.GateUp, input, gateUp, gateUpBias, buffers.Chosen);
        backend.GatedActivation(buffers.Gated, buffers.GateUp, activation);
        backend.ExpertLinear(buffers.Output, buffers.Gated, down, downBias, buffers.Chosen);
    }
}
