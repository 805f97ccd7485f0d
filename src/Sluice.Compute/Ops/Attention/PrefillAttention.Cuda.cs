using System.Collections.Concurrent;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Attention of any number of query rows a sequence over the paged cache, on tensor cores.</summary>
internal static class PrefillAttentionCuda
{
    /// <summary>Largest head size: a row's output stays in the registers of a warp.</summary>
    public const int MaxHeadDim = 256;

    private const int Threads = 128;
    private const int ChunkTokens = 64;
    private const int RowsOfATile = 64;

    // What the system keeps of a multiprocessor's shared memory for each block.
    private const int ReservedSharedBytes = 1024;

    private static readonly KernelDefinition<Args> Kernel = new("Attention/PrefillAttention.cu", "prefill_attention");

    private static readonly ConcurrentDictionary<Specialization, KernelDefines> Defines = new();

    /// <summary>Computes all sequences of more than <paramref name="decodeRows"/> rows.</summary>
    /// <param name="context">The device.</param>
    /// <param name="output">[tokens, heads * valueDim]; rows may be strided.</param>
    /// <param name="queries">[tokens, heads * keyDim]; rows may be strided.</param>
    /// <param name="layer">The cache, this step's keys and values included.</param>
    /// <param name="plan">Which rows attend to which tokens.</param>
    /// <param name="shape">What to compute.</param>
    /// <param name="decodeRows">Sequences of at most so many rows are left alone; 0 for none.</param>
    public static void Run(
        CudaContext context, Tensor output, Tensor queries, KvLayer layer, in AttentionPlan plan, in AttentionShape shape, int decodeRows)
    {
        Guard.RequireShapes(
            queries.Type == context.ActivationType && output.Type == context.ActivationType
                && (layer.Type == context.ActivationType || layer.Type == DType.Float8E4M3)
                && shape.KvHeads == layer.Heads && shape.Heads % shape.KvHeads == 0
                && shape.HeadDim == layer.KeyDim && layer.KeyDim <= MaxHeadDim && layer.ValueDim <= MaxHeadDim
                && queries.Columns == shape.Heads * layer.KeyDim && output.Columns == shape.Heads * layer.ValueDim
                && queries.Rows >= plan.TokenCount && output.Rows >= plan.TokenCount,
            "PagedAttention");
        if (plan.TokenCount == 0)
        {
            return;
        }

        // Long chunks of another order and size: fast, and not what --batch-invariant promises.
        if (!context.BatchInvariant && PrefillAttentionHopperCuda.Supports(context, output, queries, layer, shape))
        {
            PrefillAttentionHopperCuda.Run(context, output, queries, layer, plan, shape, decodeRows);
            return;
        }

        int group = shape.Heads / shape.KvHeads;
        int rowTiles = (long)plan.MaxQueryCount * group > RowsOfATile ? MaxRowTiles(layer) : 1;
        int stages = StagesFor(context.Device, layer, rowTiles);
        Specialization specialization = new(
            layer.KeyDim, layer.ValueDim, group, layer.BlockSize, layer.Type == DType.Float8E4M3, shape.Window > 0, shape.SoftCap > 0, rowTiles, stages);
        Args args = new()
        {
            Output = output.Address,
            Queries = queries.Address,
            Keys = layer.Keys,
            Values = layer.Values,
            QueryStarts = plan.QueryStarts.Address,
            ContextLengths = plan.ContextLengths.Address,
            BlockTables = plan.BlockTables.Address,
            Sinks = shape.Sinks.Address,
            OutputStride = output.RowStride,
            QueryStride = queries.RowStride,
            TableStride = plan.BlockTables.RowStride,
            SequenceCount = plan.SequenceCount,
            KvHeads = shape.KvHeads,
            DecodeRows = decodeRows,
            Window = shape.Window,
            Scale = shape.Scale,
            SoftCap = shape.SoftCap,
        };
        long tiles = ((long)plan.TokenCount * group / (RowsOfATile * rowTiles)) + plan.SequenceCount;
        context.Launch(
            Kernel,
            DefinesOf(context, layer, specialization),
            args,
            new LaunchShape(checked((int)(tiles * shape.KvHeads)), Threads, SharedBytes(layer, rowTiles, stages)));
    }

    /// <summary>What to compile with. The first call also starts compiling for the other numbers of rows that batches of the model can have.</summary>
    private static KernelDefines DefinesOf(CudaContext context, KvLayer layer, Specialization specialization)
    {
        if (Defines.TryGetValue(specialization, out KernelDefines? defines))
        {
            return defines;
        }

        int otherRowTiles = MaxRowTiles(layer) + 1 - specialization.RowTiles;
        if (otherRowTiles != specialization.RowTiles)
        {
            Specialization other = specialization with { RowTiles = otherRowTiles, Stages = StagesFor(context.Device, layer, otherRowTiles) };
            context.Prefetch(Kernel, other.ToDefines());
        }

        return Defines.GetOrAdd(specialization, static key => key.ToDefines());
    }

    /// <summary>Twice 16 rows a warp read keys and values half as often; wider outputs leave no registers for that.</summary>
    private static int MaxRowTiles(KvLayer layer) => Math.Max(layer.KeyDim, layer.ValueDim) <= 128 ? 2 : 1;

    /// <summary>
    /// Two stages where two blocks of threads still share a multiprocessor; measured on an H100 at 16 x 1,024 tokens: two stages
    /// 196 TFLOP/s, one 166. With FP8, whose stages are small, wherever they fit.
    /// </summary>
    private static int StagesFor(CudaDevice device, KvLayer layer, int rowTiles)
    {
        int bytes = SharedBytes(layer, rowTiles, 2);
        bool fit = layer.Type == DType.Float8E4M3
            ? bytes <= device.SharedMemoryPerBlockOptIn
            : 2 * (bytes + ReservedSharedBytes) <= device.SharedMemoryPerMultiprocessor;
        return fit ? 2 : 1;
    }

    /// <summary>The size of the kernel's SharedMemory.</summary>
    private static int SharedBytes(KvLayer layer, int rowTiles, int stages)
    {
        int keyColumns = Padded(layer.KeyDim);
        int valueColumns = Padded(layer.ValueDim);
        int chunkBytes = ChunkTokens * (keyColumns + valueColumns + 16) * sizeof(ushort);
        int queryBytes = RowsOfATile * rowTiles * (keyColumns + 8) * sizeof(ushort);
        if (layer.Type != DType.Float8E4M3)
        {
            return queryBytes + (stages * chunkBytes);
        }

        return queryBytes + chunkBytes + (stages > 1 ? ChunkTokens * (keyColumns + valueColumns) : 0);
    }

    private static int Padded(int headDim) => (headDim + 15) / 16 * 16;

    private readonly record struct Specialization(
        int KeyDim, int ValueDim, int Group, int BlockSize, bool IsFloat8, bool HasWindow, bool HasSoftCap, int RowTiles, int Stages)
    {
        public KernelDefines ToDefines() => new(
            ("KEY_DIM", KeyDim),
            ("VALUE_DIM", ValueDim),
            ("GROUP", Group),
            ("BLOCK_SIZE", BlockSize),
            ("KV_FP8", IsFloat8 ? 1 : 0),
            ("WINDOW", HasWindow ? 1 : 0),
            ("SOFT_CAP", HasSoftCap ? 1 : 0),
            ("ROW_TILES", RowTiles),
            ("STAGES", Stages));
    }

    private struct Args
    {
        public nint Output;
        public nint Queries;
        public nint Keys;
        public nint Values;
        public nint QueryStarts;
        public nint ContextLengths;
        public nint BlockTables;
        public nint Sinks;
        public int OutputStride;
        public int QueryStride;
        public int TableStride;
        public int SequenceCount;
        public int KvHeads;
        public int DecodeRows;
        public int Window;
        public float Scale;
        public float SoftCap;
    }
}
