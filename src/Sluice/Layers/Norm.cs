using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>A root mean square norm over rows, or over equal parts of rows when the gain is narrower than they are.</summary>
/// <param name="gain">float32 [1, width].</param>
/// <param name="epsilon">Added to the mean square.</param>
/// <param name="gainOffset">1 for models that store gain - 1, else 0.</param>
internal sealed class Norm(Tensor gain, float epsilon, float gainOffset)
{
    private Tensor Gain => gain;

    /// <summary>Elements that are normed together.</summary>
    public int Width => gain.Columns;

    /// <summary>This norm of each head of queries and another of each head of keys, as one operation takes them.</summary>
    public HeadNorms WithKeys(Norm keys) => new(gain, keys.Gain, epsilon, gainOffset);

    /// <summary>output = norm(input); they may be the same tensor.</summary>
    public void Forward(IBackend backend, Tensor output, Tensor input) =>
        backend.RmsNorm(output, input, gain, epsilon, gainOffset);

    /// <summary>residual += input; output = norm(residual).</summary>
    public void AddForward(IBackend backend, Tensor output, Tensor residual, Tensor input) =>
        backend.AddRmsNorm(output, residual, input, gain, epsilon, gainOffset);
}
