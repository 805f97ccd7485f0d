using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// A linear layer with one block a group of columns, on the tiles of the linear layer. A part of the work is one group with a block of
/// rows: its matrix is small enough (128 KB for a head of a large model) to stay in the second-level cache while rows pass.
/// </summary>
internal static unsafe class BlockDiagonalLinearSimd
{
    // Full tiles with every kind of vectors, and enough parts where rows are many and groups few.
    private const int RowsPerPart = 48;

    public static void Run(CpuContext context, Tensor output, Tensor input, Weight weight, int groups)
    {
        Guard.RequireShapes(
            groups > 0 && weight.Rows % (groups * PackedWeight.PanelRows) == 0 && input.Columns % groups == 0 && output.Columns % groups == 0
                && input.Columns / groups >= weight.Columns
                && (input.Columns / groups) - weight.Columns == (output.Columns - weight.Rows) / groups
                && weight.Type != DType.Float4E2M1 && output.Rows == input.Rows && input.Type == DType.Float32 && output.Type == DType.Float32,
            nameof(IBackend.BlockDiagonalLinear));
        switch (weight.Type)
        {
            case DType.Float32:
                Run<Float32Panel>(context, output, input, weight, groups);
                break;
            case DType.Float8E4M3:
                Run<Float8Panel>(context, output, input, weight, groups);
                break;
            case DType.Float16:
                Run<Float16Panel>(context, output, input, weight, groups);
                break;
            default:
                Run<BFloat16Panel>(context, output, input, weight, groups);
                break;
        }
    }

    private static void Run<TFormat>(CpuContext context, Tensor output, Tensor input, Weight weight, int groups)
        where TFormat : unmanaged, IPanelFormat
    {
        context.Scratch.EnsureThreadBytes(Tiles.MaxRows * (long)weight.Columns * sizeof(float));
        BlockJob<TFormat> job = new()
        {
            Output = output,
            Input = input,
            Weights = (byte*)weight.Address,
            ThreadScratch = context.Scratch.ThreadBuffers,
            PanelBytes = PackedWeight.PanelBytes(weight.Columns, weight.Type),
            Panels = weight.Rows / groups / PackedWeight.PanelRows,
            KCount = weight.Columns,
            Groups = groups,
            RowParts = (input.Rows + RowsPerPart - 1) / RowsPerPart,
        };
        context.Pool.Run(ref job, groups * job.RowParts);
    }

    private struct BlockJob<TFormat> : IParallelJob
        where TFormat : unmanaged, IPanelFormat
    {
        public Tensor Output;
        public Tensor Input;
        public byte* Weights;
        public nint* ThreadScratch;
        public long PanelBytes;
        public int Panels;
        public int KCount;
        public int Groups;
        public int RowParts;

        public readonly void Execute(int index, int thread)
        {
            int group = index / RowParts;
            int first = index % RowParts * RowsPerPart;
            int count = Math.Min(RowsPerPart, Input.Rows - first);
            int inputWidth = Input.Columns / Groups;
            int outputWidth = Output.Columns / Groups;
            int blockRows = Panels * PackedWeight.PanelRows;
            float* source = (float*)Input.Address + ((long)first * Input.RowStride) + (group * inputWidth);
            float* destination = (float*)Output.Address + ((long)first * Output.RowStride) + (group * outputWidth);
            float* packed = (float*)ThreadScratch[thread];
            TileCall call = new()
            {
                Input = packed,
                KCount = KCount,
                PanelStride = (nint)PanelBytes,
                OutputRowStride = Output.RowStride,
                OutputPanelStride = PackedWeight.PanelRows,
            };
            byte* panels = Weights + (group * Panels * PanelBytes);
            for (int row = 0; row < count;)
            {
                int tileRows = Tiles.RowsFor(count - row);
                int tilePanels = Tiles.PanelsFor(tileRows);
                call.Rows = Math.Min(tileRows, count - row);
                Pack(source + ((long)row * Input.RowStride), packed, call.Rows, tileRows);
                for (int panel = 0; panel < Panels; panel += tilePanels)
                {
                    call.Panels = Math.Min(tilePanels, Panels - panel);
                    call.Panel = panels + (panel * PanelBytes);
                    call.Output = destination + ((long)row * Output.RowStride) + (panel * PackedWeight.PanelRows);
                    Tiles.Run<TFormat, PackedInput>(in call, tileRows);
                }

                row += tileRows;
            }

            for (int row = 0; row < count; row++)
            {
                new ReadOnlySpan<float>(source + ((long)row * Input.RowStride) + KCount, inputWidth - KCount)
                    .CopyTo(new Span<float>(destination + ((long)row * Output.RowStride) + blockRows, outputWidth - blockRows));
            }
        }

        // Rows beyond the last repeat it; their results are not stored.
        private readonly void Pack(float* source, float* packed, int rows, int tileRows)
        {
            for (int r = 0; r < tileRows; r++)
            {
                float* row = source + ((long)Math.Min(r, rows - 1) * Input.RowStride);
                for (int k = 0; k < KCount; k++)
                {
                    packed[((long)k * tileRows) + r] = row[k];
                }
            }
        }
    }
}
