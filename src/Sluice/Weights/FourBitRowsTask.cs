using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>
/// Rows of one expert in the microscaling format with four bits (OCP MX specification 1.0): blocks of 32 elements, two in a byte, the
/// first in the lower half, and for each block the exponent of a power of two in a byte.
/// </summary>
/// <param name="elements">Bytes [experts, rows, columns / 32, 16].</param>
/// <param name="scales">Bytes [experts, rows, columns / 32]: exponents plus 127; 255 is not a number.</param>
/// <param name="expert">Which of the matrices.</param>
/// <param name="firstRow">First row of the checkpoint that the task reads.</param>
/// <param name="rowCount">Rows that it reads; even when they are interleaved, as is <paramref name="firstRow"/>.</param>
/// <param name="target">[rows, columns].</param>
/// <param name="order">Where the rows of the target come from.</param>
internal sealed class FourBitRowsTask(
    CheckpointTensor elements, CheckpointTensor scales, int expert, int firstRow, int rowCount, Weight target, ExpertRowOrder order)
    : WeightTask(elements, Offset(expert, firstRow, target), checked(rowCount * target.Columns / 2))
{
    /// <summary>Elements that share a scale.</summary>
    public const int BlockColumns = 32;

    private const int BlockBytes = BlockColumns / 2;
    private const int NoNumber = 255;

    // Beside what is read from the file, the same in the order of the target.
    public override int BufferBytes => checked((2 * SizeBytes) + ScaleBytes);

    private int Blocks => target.Columns / BlockColumns;

    private int ScaleBytes => rowCount * Blocks;

    public override void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer)
    {
        Span<byte> codes = buffer[..SizeBytes];
        Span<byte> ordered = buffer.Slice(SizeBytes, SizeBytes);
        Span<byte> exponents = buffer.Slice(2 * SizeBytes, ScaleBytes);
        checkpoint.Read(Tensor, OffsetBytes, codes);
        checkpoint.Read(scales, OffsetBytes / BlockBytes, exponents);
        if (!order.Interleaved)
        {
            Store(backend, firstRow, codes, exponents, start: 0, step: 1);
            return;
        }

        int rowBytes = target.Columns / 2;
        for (int row = 0; row < rowCount; row++)
        {
            codes.Slice(order.Source(row, rowCount) * rowBytes, rowBytes).CopyTo(ordered[(row * rowBytes)..]);
        }

        int half = SizeBytes / 2;
        Store(backend, firstRow / 2, ordered[..half], exponents, start: 0, step: 2);
        Store(backend, (target.Rows + firstRow) / 2, ordered[half..], exponents, start: 1, step: 2);
    }

    private void Store(IBackend backend, int row, ReadOnlySpan<byte> codes, ReadOnlySpan<byte> exponents, int start, int step)
    {
        int rows = codes.Length / (target.Columns / 2);
        var factors = new float[rows * Blocks];
        for (int i = 0; i < factors.Length; i++)
        {
            int source = (i / Blocks * step) + start;
            byte exponent = exponents[(source * Blocks) + (i % Blocks)];
            factors[i] = exponent != NoNumber
                ? MathF.ScaleB(1, exponent - 127)
                : throw new InvalidDataException(
                    $"the scale of block {i % Blocks} in row {firstRow + source} of expert {expert} in {scales.Name} is not a number.");
        }

        backend.UploadRows(target, row, codes, DType.Float4E2M1, new BlockScales(factors, 1, BlockColumns, Blocks));
    }

    private static long Offset(int expert, int firstRow, Weight target) => (((long)expert * target.Rows) + firstRow) * target.Columns / 2;
}
