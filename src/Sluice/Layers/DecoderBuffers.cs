using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>
/// What a decoder computes in: allocated once for the largest batch, shared by all layers, cut to the step's tokens.
/// </summary>
/// <param name="Residual">The stream that layers add to: [tokens, hiddenSize].</param>
/// <param name="Normed">Input of attention, feed-forward and output projection: [tokens, hiddenSize].</param>
/// <param name="Projected">Output of attention and feed-forward: [tokens, hiddenSize].</param>
/// <param name="QueryKeyValue">[tokens, (heads + 2 * kvHeads) * headDim]; queries alone in latent attention.</param>
/// <param name="Attended">[tokens, heads * valueDim].</param>
/// <param name="GateUp">[tokens, 2 * width] for the widest feed-forward; a narrower one uses the beginning of the memory.</param>
/// <param name="Gated">[tokens, width].</param>
internal readonly record struct DecoderBuffers(
    Tensor Residual, Tensor Normed, Tensor Projected, Tensor QueryKeyValue, Tensor Attended, Tensor GateUp, Tensor Gated)
{
    /// <summary>For mixtures of experts; none in dense models.</summary>
    public ExpertBuffers? Experts { get; init; }

    /// <summary>For latent attention; none in models without.</summary>
    public LatentBuffers? Latent { get; init; }

    /// <summary>The first <paramref name="tokenCount"/> rows of all.</summary>
    public DecoderBuffers Slice(int tokenCount) => new(
        Residual.SliceRows(0, tokenCount),
        Normed.SliceRows(0, tokenCount),
        Projected.SliceRows(0, tokenCount),
        QueryKeyValue.SliceRows(0, tokenCount),
        Attended.SliceRows(0, tokenCount),
        GateUp.SliceRows(0, tokenCount),
        Gated.SliceRows(0, tokenCount))
    {
        Experts = Experts?.Slice(tokenCount),
        Latent = Latent?.Slice(tokenCount),
    };
}
