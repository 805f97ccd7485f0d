using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>What latent attention computes in, in addition to <see cref="DecoderBuffers"/>.</summary>
/// <param name="QueryLatent">[tokens, queryRank]; none where queries are projected directly.</param>
/// <param name="KeyLatent">[tokens, kvRank + rotaryDim].</param>
/// <param name="AbsorbedQueries">[tokens, heads * (kvRank + rotaryDim)].</param>
/// <param name="AttendedLatent">[tokens, heads * kvRank].</param>
internal readonly record struct LatentBuffers(Tensor? QueryLatent, Tensor KeyLatent, Tensor AbsorbedQueries, Tensor AttendedLatent)
{
    /// <summary>The first <paramref name="tokenCount"/> rows of all.</summary>
    public LatentBuffers Slice(int tokenCount) => new(
        QueryLatent?.SliceRows(0, tokenCount),
        KeyLatent.SliceRows(0, tokenCount),
        AbsorbedQueries.SliceRows(0, tokenCount),
        AttendedLatent.SliceRows(0, tokenCount));
}
