using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// Attention in place over the paged cache on CUDA: sequences with few query rows go to the decode kernel, which splits contexts
/// over the whole chip, the others to the prefill kernels, which read a context once for many rows.
/// </summary>
internal static class PagedAttentionCuda
{
    // Rows of a product on the tensor cores: heads of a group, times query rows.
    private const int TileRows = 16;

    public static void Run(CudaContext context, Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape)
    {
        Guard.RequireShapes(
            queries.Columns == shape.Heads * shape.HeadDim && output.Columns == shape.Heads * layer.ValueDim
                && layer.KeyDim == shape.HeadDim && layer.Heads == shape.KvHeads && shape.Heads % shape.KvHeads == 0
                && queries.Rows >= plan.TokenCount && output.Rows >= plan.TokenCount
                && queries.Type == context.ActivationType && output.Type == context.ActivationType
                && (layer.Type == context.ActivationType || layer.Type == DType.Float8E4M3) && layer.BlockSize % 16 == 0
                && (shape.Sinks.Address == 0 || (shape.Sinks.Type == DType.Float32 && shape.Sinks.Columns == shape.Heads)),
            "PagedAttention");
        if (plan.TokenCount == 0)
        {
            return;
        }

        // A row's bits may not depend on how many rows its sequence has in the batch, so one kernel takes all rows then.
        int decodeRows = context.BatchInvariant ? 0 : Math.Max(1, TileRows / (shape.Heads / shape.KvHeads));
        bool isOnePrompt = plan.SequenceCount == 1 && plan.MaxQueryCount > decodeRows;
        if (decodeRows > 0 && !isOnePrompt)
        {
            DecodeAttentionCuda.Run(context, output, queries, layer, plan, shape, decodeRows);
        }

        if (plan.MaxQueryCount > decodeRows)
        {
            PrefillAttentionCuda.Run(context, output, queries, layer, plan, shape, decodeRows);
        }
    }
}
