using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>
/// Grouped-query attention over the paged cache: one fused projection to queries, keys and values, optional norms of queries
/// and keys, rotation, cache write, attention, output projection.
/// </summary>
/// <param name="queryKeyValue">To [queries | keys | values].</param>
/// <param name="output">Back to the hidden size.</param>
/// <param name="rotary">Cosines and sines.</param>
/// <param name="shape">Heads, scale, window, cap.</param>
/// <param name="queryNorm">As wide as a head or as all queries; none for most models.</param>
/// <param name="keyNorm">As wide as a head or as all keys.</param>
internal sealed class Attention(
    Linear queryKeyValue, Linear output, RotaryTable rotary, AttentionShape shape, Norm? queryNorm, Norm? keyNorm) : IAttention
{
    private readonly int _queryWidth = shape.Heads * shape.HeadDim;
    private readonly int _keyWidth = shape.KvHeads * shape.HeadDim;

    private readonly HeadNorms? _headNorms =
        queryNorm?.Width == shape.HeadDim && keyNorm?.Width == shape.HeadDim ? queryNorm.WithKeys(keyNorm) : null;

    /// <inheritdoc/>
    public void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input, KvLayer cache, in AttentionPlan plan)
    {
        queryKeyValue.Forward(backend, buffers.QueryKeyValue, input);
        Tensor queries = buffers.QueryKeyValue.SliceColumns(0, _queryWidth);
        Tensor keys = buffers.QueryKeyValue.SliceColumns(_queryWidth, _keyWidth);
        Tensor values = buffers.QueryKeyValue.SliceColumns(_queryWidth + _keyWidth, _keyWidth);
        if (_headNorms is null)
        {
            queryNorm?.Forward(backend, queries, queries);
            keyNorm?.Forward(backend, keys, keys);
        }

        backend.RotateAndWriteKv(queries, keys, values, plan.Positions, rotary, cache, plan.Slots, _headNorms);
        backend.PagedAttention(buffers.Attended, queries, cache, plan, shape);
        output.Forward(backend, buffers.Projected, buffers.Attended);
    }
}
