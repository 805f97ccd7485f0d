using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>What a mixture of experts computes in, in addition to <see cref="DecoderBuffers"/>.</summary>
/// <param name="Logits">Of the router: float32 [tokens, experts].</param>
/// <param name="Chosen">Numbers of the chosen experts: int32 [tokens, chosenExperts].</param>
/// <param name="Weights">Their weights: float32 [tokens, chosenExperts].</param>
/// <param name="GateUp">[tokens * chosenExperts, 2 * expertWidth].</param>
/// <param name="Gated">[tokens * chosenExperts, expertWidth].</param>
/// <param name="Output">[tokens * chosenExperts, hiddenSize]; the memory of <paramref name="GateUp"/>, which is done with by then.</param>
internal readonly record struct ExpertBuffers(Tensor Logits, Tensor Chosen, Tensor Weights, Tensor GateUp, Tensor Gated, Tensor Output)
{
    /// <summary>The rows of the first <paramref name="tokenCount"/> tokens of all.</summary>
    public ExpertBuffers Slice(int tokenCount)
    {
        int rows = tokenCount * Chosen.Columns;
        return new(
            Logits.SliceRows(0, tokenCount),
            Chosen.SliceRows(0, tokenCount),
            Weights.SliceRows(0, tokenCount),
            GateUp.SliceRows(0, rows),
            Gated.SliceRows(0, rows),
            Output.SliceRows(0, rows));
    }
}
