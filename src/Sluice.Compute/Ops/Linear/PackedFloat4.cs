namespace Sluice.Compute.Ops.Linear;

/// <summary>Puts rows of four-bit elements and their scales into panels (<see cref="Float4Panel"/>).</summary>
internal static unsafe class PackedFloat4
{
    private const int MantissaMask = 0x7FFFFF;
    private const int ExponentShift = 23;

    /// <summary>Stores whole rows, two elements in a byte with the first in the lower half.</summary>
    /// <exception cref="InvalidDataException">A scale that is no power of two.</exception>
    public static void StoreRows(Weight weight, int firstRow, ReadOnlySpan<byte> source, BlockScales? scales)
    {
        int rowBytes = weight.Columns / 2;
        int rowCount = source.Length / rowBytes;
        if (source.Length % rowBytes != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole rows of {rowBytes} bytes.", nameof(source));
        }

        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstRow + rowCount, weight.Rows, nameof(source));
        if (scales is null || scales.ColumnBlock % Float4Panel.GroupColumns != 0 || !scales.Covers(rowCount, weight.Columns))
        {
            throw new ArgumentException("Four-bit elements have a scale for each 32 of a row.", nameof(scales));
        }

        for (int row = 0; row < rowCount; row++)
        {
            int lane = (firstRow + row) % PackedWeight.PanelRows;
            byte* panel = (byte*)weight.Address
                + ((firstRow + row) / PackedWeight.PanelRows * PackedWeight.PanelBytes(weight.Columns, weight.Type)) + lane;
            ReadOnlySpan<byte> pairs = source.Slice(row * rowBytes, rowBytes);
            for (int column = 0; column < weight.Columns; column += Float4Panel.GroupColumns)
            {
                panel[Float4Panel.GroupOffset(column)] = Exponent(scales.At(row, column));
                byte* group = panel + Float4Panel.PairOffset(column);
                for (int pair = 0; pair < Float4Panel.GroupPairs; pair++)
                {
                    group[pair * Float4Panel.PairBytes] = pairs[(column / 2) + pair];
                }
            }
        }
    }

    private static byte Exponent(float scale)
    {
        int bits = BitConverter.SingleToInt32Bits(scale);

        // 2^-127 has no exponent of its own in float32; it counts as zero.
        return bits >= 0 && ((bits & MantissaMask) == 0 || bits <= MantissaMask)
            ? (byte)(bits >> ExponentShift)
            : throw new InvalidDataException($"A scale of four-bit elements is {scale:R}; a power of two was expected.");
    }
}
