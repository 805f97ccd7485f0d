using Sluice.Compute;
using Sluice.Models;

namespace Sluice.Layers;

/// <summary>Makes the table of cosines and sines of a rotary embedding.</summary>
internal static class RotaryEmbedding
{
    // Rows that are computed and uploaded at a time: the host never holds the table of a long context whole.
    private const int RowsAtOnce = 4096;

    /// <summary>Bytes of a table, cosines and sines.</summary>
    public static long TableBytes(int rotaryDim, int positionCount) => (long)positionCount * rotaryDim * sizeof(float);

    /// <param name="backend">Device that holds the table.</param>
    /// <param name="rope">Variant and parameters.</param>
    /// <param name="rotaryDim">Rotated elements of a head.</param>
    /// <param name="positionCount">Positions from 0 on that are ever used.</param>
    public static RotaryTable CreateTable(IBackend backend, RopeParameters rope, int rotaryDim, int positionCount)
    {
        (float[] angles, float factor) = RotaryFrequencies.Compute(rope, rotaryDim, positionCount);
        Tensor cosines = backend.Allocate(positionCount, angles.Length, DType.Float32);
        Tensor sines = backend.Allocate(positionCount, angles.Length, DType.Float32);
        var cosineRows = new float[Math.Min(RowsAtOnce, positionCount) * angles.Length];
        var sineRows = new float[cosineRows.Length];
        for (int first = 0; first < positionCount; first += RowsAtOnce)
        {
            int start = first;
            int rows = Math.Min(RowsAtOnce, positionCount - first);
            Parallel.For(0, (rows + 255) / 256, part =>
            {
                for (int row = part * 256; row < Math.Min(rows, (part + 1) * 256); row++)
                {
                    FillRow(start + row, angles, factor, cosineRows.AsSpan(row * angles.Length), sineRows.AsSpan(row * angles.Length));
                }
            });
            backend.Upload<float>(cosines.SliceRows(first, rows), cosineRows.AsSpan(0, rows * angles.Length));
            backend.Upload<float>(sines.SliceRows(first, rows), sineRows.AsSpan(0, rows * angles.Length));
        }

        return new RotaryTable(cosines, sines, rotaryDim);
    }

    // The angle is a float32 product, as in the code that the models were trained with; its cosine is exact to the last bit.
    private static void FillRow(int position, float[] angles, float factor, Span<float> cosines, Span<float> sines)
    {
        for (int i = 0; i < angles.Length; i++)
        {
            (double sine, double cosine) = Math.SinCos(position * angles[i]);
            cosines[i] = (float)cosine * factor;
            sines[i] = (float)sine * factor;
        }
    }
}
