using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sluice.Compute.Ops.Linear;

/// <summary>Puts rows of 8-bit elements and their scales into panels (<see cref="Float8Panel"/>), and makes such elements.</summary>
internal static unsafe class PackedFloat8
{
    private const int Lanes = PackedWeight.PanelRows;
    private const float Largest = 448;

    // The smallest normal number: quotients of smaller values are not precise.
    private const float SmallestScale = 1.17549435e-38f;

    /// <summary>Stores whole rows. Elements of another type are divided by a scale that makes the largest of each row 448.</summary>
    public static void StoreRows(Weight weight, int firstRow, int rowCount, ReadOnlySpan<byte> source, DType sourceType, BlockScales? scales)
    {
        int columns = weight.Columns;
        bool quantizes = sourceType != DType.Float8E4M3;
        RequireUsable(scales, quantizes, rowCount, columns);
        long rowBytes = (long)columns * sourceType.SizeBytes();
        float[] rowScales = new float[Lanes];
        byte* codes = (byte*)NativeMemory.Alloc(quantizes ? (nuint)columns * Lanes : 1);
        float* values = (float*)NativeMemory.Alloc(quantizes ? (nuint)columns * sizeof(float) : 1);
        try
        {
            fixed (byte* data = source)
            {
                for (int row = 0; row < rowCount;)
                {
                    int lane = (firstRow + row) % Lanes;
                    int count = Math.Min(Lanes - lane, rowCount - row);
                    byte* rows = data + (row * rowBytes);
                    if (quantizes)
                    {
                        for (int i = 0; i < count; i++)
                        {
                            Elements.WidenMany(rows + (i * rowBytes), sourceType, values, columns);
                            rowScales[i] = Quantize(values, codes + ((long)i * columns), columns, firstRow + row + i);
                        }

                        rows = codes;
                    }

                    RequireNumbers(rows, count, columns, firstRow + row);
                    byte* panel = (byte*)weight.Address + ((firstRow + row) / Lanes * PackedWeight.PanelBytes(columns, DType.Float8E4M3));
                    for (int first = 0; first < columns; first += Float8Panel.GroupColumns)
                    {
                        byte* group = panel + Float8Panel.GroupOffset(first);
                        for (int i = 0; i < count; i++)
                        {
                            float scale = quantizes ? rowScales[i] : scales?.At(row + i, first) ?? 1;
                            ((float*)group)[lane + i] = scale * Float8Panel.BiasFactor;
                        }

                        Interleave(
                            rows + first, columns, count, Math.Min(Float8Panel.GroupColumns, columns - first), group + Float8Panel.ScaleBytes + lane);
                    }

                    row += count;
                }
            }
        }
        finally
        {
            NativeMemory.Free(values);
            NativeMemory.Free(codes);
        }
    }

    /// <summary>Rows of 8-bit elements times their scales, in another type.</summary>
    /// <param name="rows">Whole rows.</param>
    /// <param name="firstRow">Where they begin in the rows that <paramref name="scales"/> is for.</param>
    /// <param name="count">Rows.</param>
    /// <param name="columns">Elements of a row.</param>
    /// <param name="scales">Scales; none for 1.</param>
    /// <param name="destination">As many elements.</param>
    /// <param name="type">Their type.</param>
    public static void Widen(byte* rows, int firstRow, int count, int columns, BlockScales? scales, byte* destination, DType type)
    {
        float* values = (float*)NativeMemory.Alloc((nuint)columns * sizeof(float));
        try
        {
            for (int row = 0; row < count; row++)
            {
                Elements.WidenMany(rows + ((long)row * columns), DType.Float8E4M3, values, columns);
                for (int column = 0; scales is not null && column < columns; column++)
                {
                    values[column] *= scales.At(firstRow + row, column);
                }

                Elements.NarrowMany(values, destination + ((long)row * columns * type.SizeBytes()), type, columns);
            }
        }
        finally
        {
            NativeMemory.Free(values);
        }
    }

    /// <summary>The nearest elements, ties to even, of values divided by the scale that makes the largest 448.</summary>
    /// <returns>The scale; 1 for a row of zeros.</returns>
    /// <exception cref="InvalidDataException">A value that is not finite, or too large for a scale.</exception>
    public static float Quantize(float* values, byte* codes, int count, int row)
    {
        float largest = 0;
        for (int i = 0; i < count; i++)
        {
            // Written so that NaN is not lost.
            largest = MathF.Abs(values[i]) <= largest ? largest : MathF.Abs(values[i]);
        }

        float scale = largest == 0 ? 1 : MathF.Max(largest / Largest, SmallestScale);
        if (!(scale < 256))
        {
            throw new InvalidDataException($"Row {row} of a weight holds {largest:R}, too large for 8-bit elements; load it unquantized.");
        }

        for (int i = 0; i < count; i++)
        {
            codes[i] = Narrow(values[i] / scale);
        }

        return scale;
    }

    /// <summary>The nearest element, ties to even; 448 for what is beyond.</summary>
    public static byte Narrow(float value)
    {
        const float smallestNormal = 1f / 64;
        const float subnormalShift = 16384; // Its last bit is 2^-9, the smallest element: adding it rounds.
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = bits >> 24 & 0x80;
        float magnitude = MathF.Min(MathF.Abs(value), Largest);
        uint magnitudeBits = BitConverter.SingleToUInt32Bits(magnitude);
        uint code = magnitude < smallestNormal
            ? BitConverter.SingleToUInt32Bits(magnitude + subnormalShift) - BitConverter.SingleToUInt32Bits(subnormalShift)
            : ((magnitudeBits + 0x7FFFF + (magnitudeBits >> 20 & 1)) >> 20) - (120 << 3);
        return (byte)(sign | code);
    }

    private static void RequireUsable(BlockScales? scales, bool quantizes, int rows, int columns)
    {
        if (scales is null)
        {
            return;
        }

        if (quantizes)
        {
            throw new ArgumentException("Only 8-bit elements come with scales.", nameof(scales));
        }

        if (!scales.Covers(rows, columns) || (scales.ColumnBlock < columns && scales.ColumnBlock % Float8Panel.GroupColumns != 0))
        {
            throw new ArgumentException($"Scales of all rows and columns, in blocks of a multiple of {Float8Panel.GroupColumns} columns, were expected.", nameof(scales));
        }
    }

    private static void RequireNumbers(byte* rows, int count, int columns, int firstRow)
    {
        for (int row = 0; row < count; row++)
        {
            ReadOnlySpan<byte> elements = new(rows + ((long)row * columns), columns);
            if (elements.ContainsAny((byte)0x7F, (byte)0xFF))
            {
                throw new InvalidDataException($"Row {firstRow + row} of a weight holds NaN; the file is damaged.");
            }
        }
    }

    private static void Interleave(byte* rows, int columns, int count, int width, byte* target)
    {
        int column = 0;
        if (count == Lanes && Sse2.IsSupported)
        {
            for (; column <= width - Lanes; column += Lanes)
            {
                Transpose(rows + column, columns, target + (column * Lanes));
            }
        }

        for (; column < width; column++)
        {
            for (int row = 0; row < count; row++)
            {
                target[(column * Lanes) + row] = rows[((long)row * columns) + column];
            }
        }
    }

    /// <summary>16 rows of 16 bytes: four rounds in which each pair of rows eight apart is merged byte by byte.</summary>
    private static void Transpose(byte* rows, int rowStride, byte* target)
    {
        byte* other = stackalloc byte[Lanes * Lanes];
        for (int row = 0; row < Lanes; row++)
        {
            Vector128.Load(rows + ((long)row * rowStride)).Store(target + (row * Lanes));
        }

        byte* from = target;
        byte* to = other;
        for (int round = 0; round < 4; round++)
        {
            for (int row = 0; row < Lanes / 2; row++)
            {
                Vector128<byte> upper = Vector128.Load(from + (row * Lanes));
                Vector128<byte> lower = Vector128.Load(from + ((row + (Lanes / 2)) * Lanes));
                Sse2.UnpackLow(upper, lower).Store(to + (2 * row * Lanes));
                Sse2.UnpackHigh(upper, lower).Store(to + (((2 * row) + 1) * Lanes));
            }

            byte* next = from;
            from = to;
            to = next;
        }
    }
}
