using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Linear;


namespace Sluice.Compute.Ops.Embedding;

/// <summary>
/// Row look-ups. A row of a packed weight is one lane of its panel: every pair of columns is a cache line further, which
/// costs a pass over the panel a token and spares a second copy of a table that is also the output projection.
/// </summary>
internal static unsafe class EmbeddingSimd
{
    // A token touches a cache line for every two columns, about as much work as 16 elements each.
    private const int WorkPerColumn = 8;

    public static void Run(CpuContext context, Tensor output, Weight table, Tensor tokenIds, float scale)
    {
        Guard.RequireShapes(output.Columns == table.Columns && output.Rows <= tokenIds.Columns && table.Type != DType.Float4E2M1, "Embedding");
        EmbeddingJob job = new()
        {
            Output = output,
            Panels = (byte*)table.Address,
            PanelBytes = PackedWeight.PanelBytes(table.Columns, table.Type),
            TableRows = table.Rows,
            Type = table.Type,
            TokenIds = (int*)tokenIds.Address,
            Scale = scale,
            Parts = context.PartsFor(output.Rows, (long)output.Columns * WorkPerColumn),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    /// <summary>output[i] = input[rows[i]].</summary>
    public static void GatherRows(Tensor output, Tensor input, Tensor rows)
    {
        Guard.RequireShapes(output.Columns == input.Columns && output.Rows <= rows.Columns, "GatherRows");
        for (int i = 0; i < output.Rows; i++)
        {
            int row = ((int*)rows.Address)[i];
            Guard.RequireIndex(row, input.Rows, "row");

            new ReadOnlySpan<float>((float*)input.Address + ((long)row * input.RowStride), output.Columns).CopyTo(
                new Span<float>((float*)output.Address + ((long)i * output.RowStride), output.Columns));
        }
    }

    /// <summary>Replaces -1 - slot by lastSampled[slot].</summary>
    public static void ResolveTokenIds(Tensor tokenIds, Tensor lastSampled)
    {
        Span<int> ids = new((int*)tokenIds.Address, tokenIds.Columns);
        ReadOnlySpan<int> sampled = new((int*)lastSampled.Address, lastSampled.Columns);
        foreach (ref int id in ids)
        {
            if (id < 0)
            {
                id = sampled[-1 - id];
            }
        }
    }

    private struct EmbeddingJob : IParallelJob
    {
        public Tensor Output;
        public byte* Panels;
        public long PanelBytes;
        public int TableRows;
        public DType Type;
        public int* TokenIds;
        public float Scale;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Output.Rows, index, Parts);
            for (int token = start; token < end; token++)
            {
                int id = TokenIds[token];
                Guard.RequireIndex(id, TableRows, "token id");

                byte* lane = Panels + (id / PackedWeight.PanelRows * PanelBytes) + (id % PackedWeight.PanelRows * 4);
                float* result = (float*)Output.Address + ((long)token * Output.RowStride);
                if (Type == DType.Float8E4M3)
                {
                    lane = Panels + (id / PackedWeight.PanelRows * PanelBytes);
                    ReadScaledLane(lane, id % PackedWeight.PanelRows, new Span<float>(result, Output.Columns));
                    continue;
                }

                ReadLane(lane, new Span<float>(result, Output.Columns));
            }
        }

        private readonly void ReadScaledLane(byte* panel, int lane, Span<float> result)
        {
            for (int column = 0; column < result.Length; column++)
            {
                float scale = ((float*)(panel + Float8Panel.GroupOffset(column)))[lane] / Float8Panel.BiasFactor;
                byte element = panel[Float8Panel.PairOffset(column) + ((column & 1) * PackedWeight.PanelRows) + lane];
                result[column] = Float8Panel.Widen(element) * scale * Scale;
            }
        }

        private readonly void ReadLane(byte* lane, Span<float> result)
        {
            switch (Type)
            {
                case DType.Float32:
                    for (int column = 0; column < result.Length; column++, lane += 64)
                    {
                        result[column] = *(float*)lane * Scale;
                    }

                    break;
                case DType.BFloat16:
                    for (int column = 0; column < result.Length; column++)
                    {
                        uint pair = *(uint*)(lane + (column / 2 * 64L));
                        uint bits = (column & 1) == 0 ? pair << 16 : pair & 0xFFFF0000;
                        result[column] = BitConverter.UInt32BitsToSingle(bits) * Scale;
                    }

                    break;
                default:
                    for (int column = 0; column < result.Length; column++)
                    {
                        uint pair = *(uint*)(lane + (column / 2 * 64L));
                        result[column] = (float)BitConverter.UInt16BitsToHalf((ushort)(pair >> (column % 2 * 16))) * Scale;
                    }

                    break;
            }
        }
    }
}
