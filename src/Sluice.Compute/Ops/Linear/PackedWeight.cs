using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// The layout of a weight in memory: panels of 16 rows (output features), each panel going through k as its
/// <see cref="IPanelFormat"/> says: [rows / 16][columns / 2][16][2] in 16-bit types, [rows / 16][columns][16] in float32, and
/// [rows / 16][columns / 128]{16 scales, [128][16]} in scaled 8-bit elements;
/// four-bit elements are as in <see cref="Float4Panel"/>. The last panel is padded with zero rows and columns.
/// </summary>
internal static unsafe class PackedWeight
{
    /// <summary>Rows of a panel.</summary>
    public const int PanelRows = 16;

    public static int PanelCount(int rows) => (rows + PanelRows - 1) / PanelRows;

    // Groups of 8-bit elements begin at cache lines when columns are padded to this.
    private const int Float8ColumnMultiple = 4;

    public static int PairBytes(DType type) => type switch
    {
        DType.Float32 => Float32Panel.PairBytes,
        DType.Float8E4M3 => Float8Panel.PairBytes,
        _ => BFloat16Panel.PairBytes,
    };

    public static long PanelBytes(int columns, DType type) => type == DType.Float4E2M1
        ? columns / Float4Panel.GroupColumns * (long)Float4Panel.GroupBytes
        : type == DType.Float8E4M3
        ? (((columns + (long)Float8Panel.GroupColumns - 1) / Float8Panel.GroupColumns) * Float8Panel.ScaleBytes)
            + ((columns + (long)Float8ColumnMultiple - 1) / Float8ColumnMultiple * Float8ColumnMultiple * PanelRows)
        : (columns + 1L) / 2 * PairBytes(type);

    /// <summary>Bytes of the scales of 8-bit elements: one for each row in every group of columns.</summary>
    public static long ScaleBytes(int rows, int columns) =>
        (columns + (long)Float8Panel.GroupColumns - 1) / Float8Panel.GroupColumns * rows * sizeof(float);

    public static long SizeBytes(int rows, int columns, DType type) => PanelCount(rows) * PanelBytes(columns, type);

    /// <summary>Byte offset of an element.</summary>
    public static long OffsetOf(int row, int column, int columns, DType type)
    {
        long panel = (row / PanelRows) * PanelBytes(columns, type);
        int lane = row % PanelRows;
        if (type == DType.Float4E2M1)
        {
            return panel + Float4Panel.PairOffset(column) + lane;
        }

        if (type == DType.Float8E4M3)
        {
            return panel + Float8Panel.PairOffset(column) + ((column & 1) * PanelRows) + lane;
        }

        long pair = panel + (column / 2 * (long)PairBytes(type));
        return type == DType.Float32
            ? pair + ((column & 1) * 64) + (lane * 4)
            : pair + (lane * 4) + ((column & 1) * 2);
    }

    /// <summary>An element, widened and scaled.</summary>
    public static float Read(Weight weight, int row, int column)
    {
        byte* element = (byte*)weight.Address + OffsetOf(row, column, weight.Columns, weight.Type);
        if (weight.Type == DType.Float4E2M1)
        {
            byte exponent = *((byte*)weight.Address + (row / PanelRows * PanelBytes(weight.Columns, weight.Type))
                + Float4Panel.GroupOffset(column) + (row % PanelRows));
            return Float4Panel.Widen((column & 1) == 0 ? *element & 15 : *element >> 4) * Float4Panel.Scale(exponent);
        }

        if (weight.Type != DType.Float8E4M3)
        {
            return Elements.Widen(element, weight.Type);
        }

        byte* panel = (byte*)weight.Address + (row / PanelRows * PanelBytes(weight.Columns, weight.Type));
        float scale = ((float*)(panel + Float8Panel.GroupOffset(column)))[row % PanelRows];

        // Dividing by a power of two is exact here: the product is rounded once, as in registers.
        return Float8Panel.Widen(*element) * (scale / Float8Panel.BiasFactor);
    }

    /// <summary>Stores whole rows of host data, converting them. Safe for several threads on different rows.</summary>
    /// <exception cref="InvalidDataException">A value that the type of the weight cannot hold, or NaN in 8-bit elements.</exception>
    public static void StoreRows(Weight weight, int firstRow, ReadOnlySpan<byte> source, DType sourceType, BlockScales? scales)
    {
        if (weight.Type == DType.Float4E2M1 || sourceType == DType.Float4E2M1)
        {
            if (weight.Type != sourceType)
            {
                throw new NotSupportedException($"{sourceType.Name()} elements are not stored as {weight.Type.Name()}.");
            }

            PackedFloat4.StoreRows(weight, firstRow, source, scales);
            return;
        }

        long rowBytes = (long)weight.Columns * sourceType.SizeBytes();
        if (rowBytes == 0 || source.Length % rowBytes != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole rows of {rowBytes} bytes.", nameof(source));
        }

        int rowCount = (int)(source.Length / rowBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstRow + rowCount, weight.Rows, nameof(source));
        if (weight.Type == DType.Float8E4M3)
        {
            PackedFloat8.StoreRows(weight, firstRow, rowCount, source, sourceType, scales);
            return;
        }

        int elementBytes = weight.Type.SizeBytes();
        int convertedBytes = sourceType == weight.Type ? 0 : checked(PanelRows * weight.Columns * elementBytes);
        byte* converted = (byte*)NativeMemory.Alloc((nuint)convertedBytes + 1);
        try
        {
            fixed (byte* data = source)
            {
                for (int row = 0; row < rowCount;)
                {
                    int lane = (firstRow + row) % PanelRows;
                    int count = Math.Min(PanelRows - lane, rowCount - row);
                    byte* rows = data + (row * rowBytes);
                    if (sourceType == DType.Float8E4M3)
                    {
                        PackedFloat8.Widen(rows, row, count, weight.Columns, scales, converted, weight.Type);
                        rows = converted;
                    }
                    else if (convertedBytes > 0)
                    {
                        Elements.Convert(rows, sourceType, converted, weight.Type, count * (long)weight.Columns);
                        rows = converted;
                    }

                    if (weight.Type == DType.Float16)
                    {
                        RequireFinite(rows, count, weight.Columns, firstRow + row);
                    }

                    byte* panel = (byte*)weight.Address + OffsetOf(firstRow + row - lane, 0, weight.Columns, weight.Type);
                    if (weight.Type == DType.Float32)
                    {
                        Interleave32((uint*)rows, (uint*)panel + lane, count, weight.Columns);
                    }
                    else
                    {
                        Interleave16((ushort*)rows, (uint*)panel + lane, count, weight.Columns);
                    }

                    row += count;
                }
            }
        }
        finally
        {
            NativeMemory.Free(converted);
        }
    }

    private static void Interleave32(uint* rows, uint* panel, int count, int columns)
    {
        for (long column = 0; column < columns; column++, panel += PanelRows)
        {
            for (int row = 0; row < count; row++)
            {
                panel[row] = rows[(row * (long)columns) + column];
            }
        }
    }

    private static void Interleave16(ushort* rows, uint* panel, int count, int columns)
    {
        int pairs = columns / 2;
        for (int pair = 0; pair < pairs; pair++, panel += PanelRows)
        {
            for (int row = 0; row < count; row++)
            {
                panel[row] = Unsafe.ReadUnaligned<uint>(rows + (row * (long)columns) + (2L * pair));
            }
        }

        if ((columns & 1) != 0)
        {
            for (int row = 0; row < count; row++)
            {
                panel[row] = rows[(row * (long)columns) + columns - 1];
            }
        }
    }

    private static void RequireFinite(byte* rows, int count, int columns, int firstRow)
    {
        for (int row = 0; row < count; row++)
        {
            ReadOnlySpan<byte> bytes = new(rows + (row * columns * 2L), columns * 2);
            foreach (ushort bits in MemoryMarshal.Cast<byte, ushort>(bytes))
            {
                if ((bits & 0x7C00) == 0x7C00)
                {
                    throw new InvalidDataException(
                        $"Row {firstRow + row} of a weight holds a value beyond the range of float16; load it as bfloat16 or float32.");
                }
            }
        }
    }
}
