using System.Buffers;
using System.Runtime.InteropServices;
using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>
/// Rows of one expert in the microscaling format with four bits (OCP MX specification 1.0): blocks of 32 elements with 1 sign, 2 exponent
/// and 1 mantissa bit, two in a byte, the first in the lower half, and for each block a power of two in a byte. The products are exact
/// in bfloat16, so that is what the weight stores.
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

    // Of the codes 0 to 15.
    private static readonly float[] Values = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];

    public override int BufferBytes => checked(SizeBytes + ScaleBytes);

    private int ScaleBytes => rowCount * target.Columns / BlockColumns;

    public override void Run(IBackend backend, ICheckpoint checkpoint, Span<byte> buffer)
    {
        Span<byte> codes = buffer[..SizeBytes];
        Span<byte> exponents = buffer.Slice(SizeBytes, ScaleBytes);
        checkpoint.Read(Tensor, OffsetBytes, codes);
        checkpoint.Read(scales, OffsetBytes / BlockBytes, exponents);
        byte[] memory = ArrayPool<byte>.Shared.Rent(rowCount * target.Columns * sizeof(ushort));
        try
        {
            Span<byte> rows = memory.AsSpan(0, rowCount * target.Columns * sizeof(ushort));
            Widen(codes, exponents, MemoryMarshal.Cast<byte, BFloat16>(rows));
            Store(backend, rows);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(memory);
        }
    }

    // Rows come out in the order of the target: all even ones, then all odd ones.
    private void Widen(ReadOnlySpan<byte> codes, ReadOnlySpan<byte> exponents, Span<BFloat16> rows)
    {
        int columns = target.Columns;
        int blocks = columns / BlockColumns;
        for (int row = 0; row < rowCount; row++)
        {
            int source = order.Source(row, rowCount);
            Span<BFloat16> values = rows.Slice(row * columns, columns);
            for (int block = 0; block < blocks; block++)
            {
                int index = (source * blocks) + block;
                if (exponents[index] == NoNumber)
                {
                    throw new InvalidDataException($"the scale of block {block} in row {firstRow + source} of expert {expert} in {scales.Name} is not a number.");
                }

                float scale = MathF.ScaleB(1, exponents[index] - 127);
                ReadOnlySpan<byte> pairs = codes.Slice(index * BlockBytes, BlockBytes);
                for (int i = 0; i < pairs.Length; i++)
                {
                    values[(block * BlockColumns) + (2 * i)] = (BFloat16)(Values[pairs[i] & 15] * scale);
                    values[(block * BlockColumns) + (2 * i) + 1] = (BFloat16)(Values[pairs[i] >> 4] * scale);
                }
            }
        }
    }

    private void Store(IBackend backend, ReadOnlySpan<byte> rows)
    {
        if (!order.Interleaved)
        {
            backend.UploadRows(target, firstRow, rows, DType.BFloat16);
            return;
        }

        int half = rows.Length / 2;
        backend.UploadRows(target, firstRow / 2, rows[..half], DType.BFloat16);
        backend.UploadRows(target, (target.Rows + firstRow) / 2, rows[half..], DType.BFloat16);
    }

    private static long Offset(int expert, int firstRow, Weight target) => (((long)expert * target.Rows) + firstRow) * target.Columns / 2;
}
