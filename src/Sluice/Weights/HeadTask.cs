using Sluice.Compute;
using Sluice.Weights.Quantization;

namespace Sluice.Weights;

/// <summary>
/// Rows of one head of a tensor whose heads follow each other, stored as they are or transposed. Heads are read whole: the largest
/// of released models have 128 KB.
/// </summary>
/// <param name="tensor">[rows, columns].</param>
/// <param name="rows">Which rows of a head.</param>
/// <param name="columns">Columns of the tensor.</param>
/// <param name="head">The head.</param>
/// <param name="target">The weight, [heads * rowCount, columns]; transposed [heads * columns, rowCount].</param>
/// <param name="transposed">Whether the head's rows become columns.</param>
/// <param name="scales">Scales of 8-bit elements.</param>
internal sealed class HeadTask(
    CheckpointTensor tensor, HeadRows rows, int columns, int head, Weight target, bool transposed, ScaleTensor? scales)
    : WeightTask(
        tensor,
        ((long)head * rows.RowsPerHead + rows.FirstRow) * columns * tensor.Type.SizeBytes(),
        checked(rows.RowCount * columns * tensor.Type.SizeBytes()))
{
    public override int BufferBytes => transposed ? checked(2 * SizeBytes) : SizeBytes;

    public override void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer)
    {
        Span<byte> source = buffer[..SizeBytes];
        checkpoint.Read(Tensor, OffsetBytes, source);
        BlockScales? headScales = scales?.Read(checkpoint, (head * rows.RowsPerHead) + rows.FirstRow, rows.RowCount);
        if (!transposed)
        {
            backend.UploadRows(target, head * rows.RowCount, source, Tensor.Type, headScales);
            return;
        }

        Span<byte> turned = buffer[SizeBytes..];
        int elementBytes = Tensor.Type.SizeBytes();
        for (int row = 0; row < rows.RowCount; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                source.Slice(((row * columns) + column) * elementBytes, elementBytes)
                    .CopyTo(turned[(((column * rows.RowCount) + row) * elementBytes)..]);
            }
        }

        backend.UploadRows(target, head * columns, turned, Tensor.Type, headScales?.Transpose(rows.RowCount));
    }
}
