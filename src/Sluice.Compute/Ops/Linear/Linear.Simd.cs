using Sluice.Compute.Cpu;


namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// output = input * weight^T (+ bias). Threads share the panels of the weight; a thread takes a group of panels through
/// blocks of k, for each block through all row tiles, so that a widened panel is used from the nearest cache. Results
/// between blocks of k are stored and loaded again, which keeps every chain whole.
/// </summary>
internal static unsafe class LinearSimd
{
    // Rows packed at once: bounds the scratch memory (768 rows of 8192 inputs are 24 MiB) and keeps all tiles but the last full.
    private const int MaxBlockRows = 768;

    // A group of panels this large keeps a thread busy for 10 to 50 us when memory is the limit.
    private const long GroupBytes = 512 * 1024;
    private const int MaxGroupPanels = 8;

    // Input tile and panels of a block of k, of the 32 KiB that a first-level data cache has at least.
    private const int BlockBytes = 28 * 1024;

    public static void Run(CpuContext context, Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        switch (weight.Type)
        {
            case DType.Float32:
                Run<Float32Panel>(context, output, input, weight, bias);
                break;
            case DType.Float16:
                Run<Float16Panel>(context, output, input, weight, bias);
                break;
            default:
                Run<BFloat16Panel>(context, output, input, weight, bias);
                break;
        }
    }

    private static void Run<TFormat>(CpuContext context, Tensor output, Tensor input, Weight weight, Tensor? bias)
        where TFormat : unmanaged, IPanelFormat
    {
        int blocks = (input.Rows + MaxBlockRows - 1) / MaxBlockRows;
        for (int block = 0; block < blocks; block++)
        {
            int start = block * MaxBlockRows;
            int rows = Math.Min(MaxBlockRows, input.Rows - start);
            RunBlock<TFormat>(context, output.SliceRows(start, rows), input.SliceRows(start, rows), weight, bias);
        }
    }

    private static void RunBlock<TFormat>(CpuContext context, Tensor output, Tensor input, Weight weight, Tensor? bias)
        where TFormat : unmanaged, IPanelFormat
    {
        int rows = input.Rows;
        int firstTileRows = Tiles.RowsFor(rows);
        int panelCount = PackedWeight.PanelCount(weight.Rows);
        long panelBytes = PackedWeight.PanelBytes(weight.Columns, weight.Type);
        bool oneTile = firstTileRows >= rows;

        int panelStep = Tiles.PanelsFor(firstTileRows);
        int groupPanels = oneTile ? (int)Math.Max(GroupBytes / panelBytes, 1) : MaxGroupPanels;
        groupPanels = Math.Min(groupPanels, panelCount / (context.Pool.Threads * 4));
        groupPanels = Math.Max((groupPanels + panelStep - 1) / panelStep, 1) * panelStep;

        if (weight.Rows % PackedWeight.PanelRows != 0)
        {
            context.Scratch.EnsureThreadBytes((long)rows * PackedWeight.PanelRows * sizeof(float));
        }

        GemmJob<TFormat> job = new()
        {
            ThreadScratch = context.Scratch.ThreadBuffers,
            Packed = rows == 1 ? (float*)input.Address : InputPacking.Pack(context, input),
            Weights = (byte*)weight.Address,
            PanelBytes = panelBytes,
            Output = (float*)output.Address,
            OutputRowStride = output.RowStride,
            Bias = bias is { } b ? (float*)b.Address : null,
            Rows = rows,
            OutFeatures = weight.Rows,
            KCount = weight.Columns,
            KBlock = oneTile ? weight.Columns : KBlockFor(weight.Columns, firstTileRows, panelStep, TFormat.PairBytes),
            GroupPanels = groupPanels,
            PanelStep = panelStep,
        };
        context.Pool.Run(ref job, (panelCount + groupPanels - 1) / groupPanels);
    }

    private static int KBlockFor(int kCount, int tileRows, int panels, int pairBytes)
    {
        int bytesPerK = (tileRows * sizeof(float)) + (panels * pairBytes / 2);
        int largest = BlockBytes / bytesPerK;
        int blocks = (kCount + largest - 1) / largest;
        return ((kCount + blocks - 1) / blocks + 1) & ~1;
    }
}
