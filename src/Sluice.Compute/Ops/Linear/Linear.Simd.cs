using Sluice.Compute.Cpu;


namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// output = input * weight^T (+ bias). Threads share the panels of the weight. A thread takes a group of panels past one block of
/// rows after the other, panel by panel, so that a panel comes from memory once and then from the nearest caches. Results
/// between blocks of k are stored and loaded again, which keeps every chain whole.
/// </summary>
internal static unsafe class LinearSimd
{
    // Rows packed at once: bounds the scratch memory (768 rows of 8192 inputs are 24 MiB) and keeps all tiles but the last full.
    private const int MaxBlockRows = 768;

    // A group of panels this large keeps a thread busy for 10 to 50 us when memory is the limit.
    private const long GroupBytes = 512 * 1024;
    private const int MaxGroupPanels = 8;
    private const int GroupsPerThread = 8;

    // Measured on Zen 4 at 512 rows, K = 5632: 91 % of the FMA peak with blocks of 400 KB, 72 % with all rows at once. Shorter blocks
    // of k cost more than they save (256 steps: 82 %), so k is split only where a panel would not fit the cache at all.
    private const int InputBlockBytes = 384 * 1024;
    private const int MaxKBlock = 8192;

    // Where panels are widened first, blocks of k that leave room in the cache for enough rows to pay for it.
    private const int MaxWidenedKBlock = 2048;
    private const int MinRowsToWiden = 32;

    public static void Run(CpuContext context, Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        Guard.RequireShapes(
            input.Columns == weight.Columns && output.Columns == weight.Rows && output.Rows == input.Rows
                && input.Type == DType.Float32 && output.Type == DType.Float32 && (bias is not { } b || b.Columns == weight.Rows),
            nameof(Linear));
        switch (weight.Type)
        {
            case DType.Float32:
                Run<Float32Panel>(context, output, input, weight, bias);
                break;
            case DType.Float8E4M3:
                Run<Float8Panel>(context, output, input, weight, bias);
                break;
            case DType.Float4E2M1:
                Run<Float4Panel>(context, output, input, weight, bias);
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

        bool widen = TFormat.WidenOnce && rows >= MinRowsToWiden;
        int kBlock = KBlockFor<TFormat>(weight.Columns, widen ? MaxWidenedKBlock : MaxKBlock);
        int panelStep = Tiles.PanelsFor(firstTileRows);

        // Enough groups that threads end at about the same time. One row may take fewer panels than its tile has room for; tiles of
        // several rows would waste what they compute.
        int groupPanels = oneTile ? (int)Math.Max(GroupBytes / panelBytes, 1) : MaxGroupPanels;
        groupPanels = Math.Max(1, Math.Min(groupPanels, panelCount / (context.Pool.Threads * GroupsPerThread)));
        if (rows > 1 || groupPanels >= panelStep)
        {
            groupPanels = (groupPanels + panelStep - 1) / panelStep * panelStep;
        }


        int widenedFloats = widen ? panelStep * PackedWeight.PanelRows * kBlock : 0;
        context.Scratch.EnsureThreadBytes((widenedFloats + ((long)rows * PackedWeight.PanelRows)) * sizeof(float));
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
            RowBlock = RowBlockFor(kBlock),
            KBlock = kBlock,
            GroupPanels = groupPanels,
            PanelStep = panelStep,
            Widen = widen,
            WidenedFloats = widenedFloats,
        };
        context.Pool.Run(ref job, (panelCount + groupPanels - 1) / groupPanels);
    }

    /// <summary>Rows whose packed input stays in the second-level cache while a group of panels passes.</summary>
    private static int RowBlockFor(int kBlock)
        => Math.Max(1, InputBlockBytes / (kBlock * sizeof(float) * Tiles.MaxRows)) * Tiles.MaxRows;

    /// <summary>Even blocks of k, of whole groups that share scales.</summary>
    private static int KBlockFor<TFormat>(int kCount, int maximum)
        where TFormat : unmanaged, IPanelFormat
    {
        int multiple = TFormat.ScaleBytes == 0 ? 2 : 2 * TFormat.GroupPairs;
        int blocks = (kCount + maximum - 1) / maximum;
        return ((kCount + blocks - 1) / blocks + multiple - 1) / multiple * multiple;
    }
}
