using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>Logprobs on CUDA, one launch: clusters of thread blocks, one a row. Rows whose token is negative cost nothing.</summary>
internal static class TopLogprobsCuda
{
    private static readonly KernelDefinition<Args> Kernel = new("Sampling/TopLogprobs.cu", "top_logprobs");

    /// <inheritdoc cref="IBackend.TopLogprobs"/>
    public static void Run(CudaContext context, Tensor ids, Tensor logprobs, Tensor ranks, Tensor logits, Tensor tokenIds)
    {
        if (logits.Rows == 0)
        {
            return;
        }

        SamplingLaunch.RequireVocabulary(logits, "TopLogprobs");
        Guard.RequireShapes(
            ids.Rows == logits.Rows && logprobs.Rows == logits.Rows && ids.Columns == logprobs.Columns && ids.Columns > 0
                && ranks.Columns >= logits.Rows && tokenIds.Columns * tokenIds.Rows >= logits.Rows && tokenIds.IsContiguous,
            "TopLogprobs");
        Args args = new()
        {
            Ids = ids.Address,
            IdsStride = ids.RowStride,
            Logprobs = logprobs.Address,
            LogprobsStride = logprobs.RowStride,
            Ranks = ranks.Address,
            Logits = logits.Address,
            LogitsStride = logits.RowStride,
            Vocabulary = logits.Columns,
            TokenIds = tokenIds.Address,
            Top = ids.Columns - 1,
        };
        context.Launch(Kernel, KernelDefines.None, args, SamplingLaunch.Shape(context, logits.Rows, logits.Columns));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Ids;
        public long IdsStride;
        public nint Logprobs;
        public long LogprobsStride;
        public nint Ranks;
        public nint Logits;
        public long LogitsStride;
        public int Vocabulary;
        public nint TokenIds;
        public int Top;
    }
}
