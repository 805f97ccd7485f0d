using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>output = input * weight^T (+ bias). Several projections of one input may be fused in one weight, side by side.</summary>
internal sealed class Linear(Weight weight, Tensor? bias)
{
    /// <summary>Columns of the result.</summary>
    public int OutFeatures => weight.Rows;

    /// <param name="backend">The device that holds the weight.</param>
    /// <param name="output">[tokens, outFeatures].</param>
    /// <param name="input">[tokens, inFeatures].</param>
    public void Forward(IBackend backend, Tensor output, Tensor input) => backend.Linear(output, input, weight, bias);
}
