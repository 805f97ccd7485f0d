using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>
/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434) in its absorbed form. The cache holds for each token one key that all
/// heads share: the normed latent and the rotated part. A head's queries are multiplied with its key matrix (and not the latents with
/// it), so that the value of a key is the latent itself; the weighted latents then go through the head's value matrix.
/// Every token takes this form: a row's bits then depend neither on how a prompt is cut nor on what of it is cached.
/// </summary>
/// <param name="query">To the heads' [plain | rotated] queries, from the input or from the query latent.</param>
/// <param name="latent">To [latent | rotated key].</param>
/// <param name="latentNorm">Of the latent.</param>
/// <param name="keys">For each head, the transposed matrix from the latent to its plain keys: [heads * kvRank, plainDim].</param>
/// <param name="values">For each head, the matrix from the latent to its values: [heads * valueDim, kvRank].</param>
/// <param name="output">Back to the hidden size.</param>
/// <param name="rotary">Turns what follows the latent in queries and keys.</param>
/// <param name="shape">Heads over one key of kvRank + rotaryDim elements, scale.</param>
internal sealed class MlaAttention(
    Linear query, Linear latent, Norm latentNorm, Weight keys, Weight values, Linear output, RotaryTable rotary, AttentionShape shape)
    : IAttention
{
    /// <summary>From the input to the query latent, where queries have one.</summary>
    public Linear? QueryLatent { get; init; }

    /// <summary>Of the query latent.</summary>
    public Norm? QueryNorm { get; init; }

    /// <inheritdoc/>
    public void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input, KvLayer cache, in AttentionPlan plan)
    {
        LatentBuffers work = buffers.Latent ?? throw new InvalidOperationException("The decoder has no buffers for latent attention.");
        Tensor queryInput = input;
        if (QueryLatent is not null && work.QueryLatent is { } queryLatent)
        {
            QueryLatent.Forward(backend, queryLatent, input);
            QueryNorm?.Forward(backend, queryLatent, queryLatent);
            queryInput = queryLatent;
        }

        query.Forward(backend, buffers.QueryKeyValue, queryInput);
        latent.Forward(backend, work.KeyLatent, input);
        Tensor normed = work.KeyLatent.SliceColumns(0, latentNorm.Width);
        latentNorm.Forward(backend, normed, normed);
        backend.BlockDiagonalLinear(work.AbsorbedQueries, buffers.QueryKeyValue, keys, shape.Heads);
        backend.RotateAndWriteKv(
            work.AbsorbedQueries, work.KeyLatent, work.KeyLatent.SliceColumns(0, 0), plan.Positions, rotary, cache, plan.Slots);
        backend.PagedAttention(work.AttendedLatent, work.AbsorbedQueries, cache, plan, shape);
        backend.BlockDiagonalLinear(buffers.Attended, work.AttendedLatent, values, shape.Heads);
        output.Forward(backend, buffers.Projected, buffers.Attended);
    }
}
