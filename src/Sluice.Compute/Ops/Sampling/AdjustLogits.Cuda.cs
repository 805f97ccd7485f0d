using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>Masks, edits and penalties on CUDA, one launch, with the bits of the reference.</summary>
internal static class AdjustLogitsCuda
{
    // As in AdjustLogits.cu: ADJUST_THREADS, ADJUST_PART.
    private const int Threads = 256;
    private const int PartTokens = 4096;

    private static readonly KernelDefinition<Args> Kernel = new("Sampling/AdjustLogits.cu", "adjust_logits");

    /// <inheritdoc cref="IBackend.AdjustLogits"/>
    public static void Run(CudaContext context, Tensor logits, Tensor rows, Tensor masks, Tensor edits, Tensor counts)
    {
        if (logits.Rows == 0 || logits.Columns == 0)
        {
            return;
        }

        Guard.RequireShapes(
            logits.Type == DType.Float32 && rows.Rows >= logits.Rows && rows.Columns == LogitRow.Words && rows.IsContiguous
                && (masks.Address == 0 || masks.Columns == (logits.Columns + 31) / 32)
                && (edits.Address == 0 || (edits.Columns == LogitEdit.Words && edits.IsContiguous))
                && (counts.Address == 0 || counts.Columns == logits.Columns),
            "AdjustLogits");
        Args args = new()
        {
            Logits = logits.Address,
            LogitsStride = logits.RowStride,
            Vocabulary = logits.Columns,
            Rows = rows.Address,
            Masks = masks.Address,
            MasksStride = masks.RowStride,
            Edits = edits.Address,
            Counts = counts.Address,
            CountsStride = counts.RowStride,
        };
        int parts = (logits.Columns + PartTokens - 1) / PartTokens;
        context.Launch(Kernel, KernelDefines.None, args, new LaunchShape(parts, Threads, GridY: logits.Rows, IsProgrammatic: true));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Logits;
        public long LogitsStride;
        public int Vocabulary;
        public nint Rows;
        public nint Masks;
        public long MasksStride;
        public nint Edits;
        public nint Counts;
        public long CountsStride;
    }
}
