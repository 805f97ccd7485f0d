using System.Runtime.CompilerServices;

namespace Sluice.Compute.Ops.Sampling;

/// <summary>Views of the sampling operations' tensors in host memory.</summary>
internal static unsafe class SamplingTensors
{
    /// <summary>One row of a tensor.</summary>
    public static Span<T> Row<T>(Tensor tensor, int row)
        where T : unmanaged
        => new((T*)(tensor.Address + (nint)((long)row * tensor.RowStride * tensor.Type.SizeBytes())), tensor.Columns * tensor.Type.SizeBytes() / sizeof(T));

    /// <summary>The structure that stands in a row of 32-bit words.</summary>
    public static ref readonly T Element<T>(Tensor tensor, int row)
        where T : unmanaged
        => ref Unsafe.AsRef<T>((void*)(tensor.Address + (nint)((long)row * tensor.RowStride * sizeof(int))));

    /// <summary>The mask of a row; empty when it has none.</summary>
    public static ReadOnlySpan<int> MaskOf(in LogitRow row, Tensor masks) => row.MaskRow < 0 ? default : Row<int>(masks, row.MaskRow);

    /// <summary>The edits of a row.</summary>
    public static ReadOnlySpan<LogitEdit> EditsOf(in LogitRow row, Tensor edits) =>
        row.EditCount == 0 ? default : new((LogitEdit*)edits.Address + row.EditStart, row.EditCount);

    /// <summary>The counts of a row; empty when it has no penalties.</summary>
    public static ReadOnlySpan<int> CountsOf(in LogitRow row, Tensor counts) => row.CountRow < 0 ? default : Row<int>(counts, row.CountRow);

    /// <summary>Writes what <see cref="IBackend.SampleTokens"/> leaves for a row: its id, its slot's last token, its count.</summary>
    public static void Publish(int token, int index, in SamplingRow row, Tensor tokenIds, Tensor lastSampled, Tensor counts)
    {
        Row<int>(tokenIds, 0)[index] = token;
        if (row.Slot >= 0)
        {
            // A row without a token may already be part of the next step: its input must be some token.
            Row<int>(lastSampled, 0)[row.Slot] = Math.Max(token, 0);
        }

        if (row.CountRow >= 0 && token >= 0)
        {
            Row<int>(counts, row.CountRow)[token]++;
        }
    }
}
