using System.Buffers;
using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>
/// The matrix of one expert in a tensor [experts, inFeatures, outFeatures], turned around on the way: checkpoints of this form multiply
/// from the right. A slab is read whole (33 MB in the largest released model), since every row of the weight is spread over all of it.
/// </summary>
/// <param name="tensor">The tensor.</param>
/// <param name="expert">Which of its matrices.</param>
/// <param name="target">[outFeatures, inFeatures].</param>
/// <param name="order">Where the output features come from.</param>
internal sealed class ExpertSlabTask(CheckpointTensor tensor, int expert, Weight target, ExpertRowOrder order)
    : WeightTask(tensor, (long)expert * SlabBytes(tensor, target), SlabBytes(tensor, target))
{
    // Whole panels of the layouts that backends have.
    private const int RowsAtOnce = 64;

    public override void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer)
    {
        checkpoint.Read(Tensor, OffsetBytes, buffer);
        int elementBytes = Tensor.Type.SizeBytes();
        int rowBytes = target.Columns * elementBytes;
        byte[] rows = ArrayPool<byte>.Shared.Rent(RowsAtOnce * rowBytes);
        try
        {
            for (int first = 0; first < target.Rows; first += RowsAtOnce)
            {
                int count = Math.Min(RowsAtOnce, target.Rows - first);
                for (int k = 0; k < target.Columns; k++)
                {
                    ReadOnlySpan<byte> features = buffer.Slice(k * target.Rows * elementBytes, target.Rows * elementBytes);
                    for (int row = 0; row < count; row++)
                    {
                        features.Slice(order.Source(first + row, target.Rows) * elementBytes, elementBytes)
                            .CopyTo(rows.AsSpan((row * rowBytes) + (k * elementBytes)));
                    }
                }

                backend.UploadRows(target, first, rows.AsSpan(0, count * rowBytes), Tensor.Type);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rows);
        }
    }

    private static int SlabBytes(CheckpointTensor tensor, Weight target) => checked(target.Rows * target.Columns * tensor.Type.SizeBytes());
}

/// <summary>How a checkpoint orders the output features of an expert's projection.</summary>
/// <param name="Interleaved">Gate and up take turns; a weight has all of gate, then all of up.</param>
internal readonly record struct ExpertRowOrder(bool Interleaved)
{
    /// <summary>The feature of the checkpoint that becomes a row of the weight.</summary>
    public int Source(int row, int rowCount) => !Interleaved ? row : row < rowCount / 2 ? 2 * row : (2 * (row - (rowCount / 2))) + 1;
}
