using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>
/// Choosing tokens on CUDA, one launch: clusters of thread blocks, one a row. A choice has the same bits whatever the batch and the chip, and
/// is the CPU's unless the random number falls within the rounding of the CPU's sums.
/// </summary>
internal static class SampleTokensCuda
{
    private static readonly KernelDefinition<Args> Kernel = new("Sampling/SampleTokens.cu", "sample_tokens");

    /// <inheritdoc cref="IBackend.SampleTokens"/>
    public static void Run(CudaContext context, Tensor tokenIds, Tensor logits, Tensor rows, Tensor lastSampled, Tensor counts)
    {
        if (logits.Rows == 0)
        {
            return;
        }

        SamplingLaunch.RequireVocabulary(logits, "SampleTokens");
        Guard.RequireShapes(
            tokenIds.Columns >= logits.Rows && rows.Rows >= logits.Rows && rows.Columns == SamplingRow.Words && rows.IsContiguous
                && (counts.Address == 0 || counts.Columns == logits.Columns),
            "SampleTokens");
        Args args = new()
        {
            TokenIds = tokenIds.Address,
            Logits = logits.Address,
            LogitsStride = logits.RowStride,
            Vocabulary = logits.Columns,
            Rows = rows.Address,
            LastSampled = lastSampled.Address,
            Counts = counts.Address,
            CountsStride = counts.RowStride,
        };
        context.Launch(Kernel, KernelDefines.None, args, SamplingLaunch.Shape(context, logits.Rows, logits.Columns));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint TokenIds;
        public nint Logits;
        public long LogitsStride;
        public int Vocabulary;
        public nint Rows;
        public nint LastSampled;
        public nint Counts;
        public long CountsStride;
    }
}
