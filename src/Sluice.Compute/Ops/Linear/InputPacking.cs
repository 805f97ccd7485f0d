using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;


namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Rearranges input rows for the tiles: tile after tile, in each tile the rows side by side for every k. A tile then reads
/// one stream at constant distances; rows a power of two apart would evict each other from the first-level cache.
/// </summary>
internal static unsafe class InputPacking
{
    private const int PartColumns = 512;

    /// <summary>Packs all rows into the shared scratch buffer. Rows that the last tile lacks are zero.</summary>
    public static float* Pack(CpuContext context, Tensor input)
    {
        int paddedRows = 0;
        int tiles = 0;
        for (int row = 0; row < input.Rows; row += Tiles.RowsFor(input.Rows - row), tiles++)
        {
            paddedRows = row + Tiles.RowsFor(input.Rows - row);
        }

        PackJob job = new()
        {
            Source = (float*)input.Address,
            RowStride = input.RowStride,
            Rows = input.Rows,
            Columns = input.Columns,
            Packed = (float*)context.Scratch.Shared((long)paddedRows * input.Columns * sizeof(float)),
            PartsPerTile = (input.Columns + PartColumns - 1) / PartColumns,
        };
        int parts = tiles * job.PartsPerTile;
        if ((long)paddedRows * input.Columns <= 64 * 1024)
        {
            // Shorter than waking the other threads.
            for (int part = 0; part < parts; part++)
            {
                job.Execute(part, 0);
            }
        }
        else
        {
            context.Pool.Run(ref job, parts);
        }

        return job.Packed;
    }

    private struct PackJob : IParallelJob
    {
        public float* Source;
        public long RowStride;
        public int Rows;
        public int Columns;
        public float* Packed;
        public int PartsPerTile;

        public readonly void Execute(int index, int thread)
        {
            int firstRow = 0;
            for (int tile = index / PartsPerTile; tile > 0; tile--)
            {
                firstRow += Tiles.RowsFor(Rows - firstRow);
            }

            int tileRows = Tiles.RowsFor(Rows - firstRow);
            int count = Math.Min(tileRows, Rows - firstRow);
            int start = index % PartsPerTile * PartColumns;
            int end = Math.Min(start + PartColumns, Columns);
            float* packed = Packed + ((long)firstRow * Columns) + ((long)start * tileRows);
            float* source = Source + (firstRow * RowStride);
            int row = 0;
            for (; row <= count - 4; row += 4)
            {
                PackFour(source + (row * RowStride) + start, RowStride, packed + row, tileRows, end - start);
            }

            for (; row < tileRows; row++)
            {
                for (int k = start; k < end; k++)
                {
                    packed[((long)(k - start) * tileRows) + row] = row < count ? source[(row * RowStride) + k] : 0;
                }
            }
        }

        /// <summary>Four rows: one store for each k.</summary>
        private static void PackFour(float* first, long rowStride, float* packed, int tileRows, int count)
        {
            float* second = first + rowStride;
            float* third = second + rowStride;
            float* fourth = third + rowStride;
            for (int k = 0; k < count; k++, packed += tileRows)
            {
                Vector128.Create(first[k], second[k], third[k], fourth[k]).Store(packed);
            }
        }
    }
}
