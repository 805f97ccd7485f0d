using System.Collections.Concurrent;
using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Attention of many query rows on compute capability 9.0: warpgroup products on tiles that the tensor copy engine brings.</summary>
internal static unsafe class PrefillAttentionHopperCuda
{
    private const int Threads = 384;
    private const int TileRows = 128;
    private const int Stages = 2;
    private const int CopyTokens = 16;
    private const int SwizzledColumns = 64;

    private const int MapAlignment = 64;

    // Items and barriers behind the tiles.
    private const int StateBytes = 512;

    private const int CounterBytes = 2 * sizeof(int);

    private static readonly KernelDefinition<Args> Kernel = new("Attention/PrefillAttentionHopper.cu", "prefill_attention_hopper");

    private static readonly ConcurrentDictionary<Specialization, KernelDefines> Defines = new();

    /// <summary>The chip, the shapes and the addresses suit the kernel.</summary>
    public static bool Supports(CudaContext context, Tensor output, Tensor queries, KvLayer layer, in AttentionShape shape)
        => context.Device.ComputeCapability == 90
            && layer.Type == context.ActivationType
            && layer.KeyDim == layer.ValueDim && layer.KeyDim is 64 or 128 or 256
            && shape.Heads / shape.KvHeads <= TileRows
            && IsAligned(queries) && IsAligned(output);

    /// <inheritdoc cref="PrefillAttentionCuda.Run"/>
    public static void Run(
        CudaContext context, Tensor output, Tensor queries, KvLayer layer, in AttentionPlan plan, in AttentionShape shape, int decodeRows)
    {
        int headDim = layer.KeyDim;
        int group = shape.Heads / shape.KvHeads;
        int tileTokens = TileRows / group;
        int itemCount = checked(((plan.TokenCount / tileTokens) + plan.SequenceCount) * shape.KvHeads);
        Args args = new()
        {
            QueryMap = QueryMap(context, queries, plan.TokenCount, shape.Heads, headDim, group, tileTokens),
            KeyMap = CacheMap(context, layer.Keys, layer),
            ValueMap = CacheMap(context, layer.Values, layer),
            Output = output.Address,
            QueryStarts = plan.QueryStarts.Address,
            ContextLengths = plan.ContextLengths.Address,
            BlockTables = plan.BlockTables.Address,
            Sinks = shape.Sinks.Address,
            Counters = context.Scratch(ScratchKind.AttentionItems, CounterBytes),
            OutputStride = output.RowStride,
            TableStride = plan.BlockTables.RowStride,
            SequenceCount = plan.SequenceCount,
            KvHeads = shape.KvHeads,
            ItemCount = itemCount,
            DecodeRows = decodeRows,
            Window = shape.Window,
            Scale = shape.Scale,
            SoftCap = shape.SoftCap,
        };
        Specialization specialization = new(headDim, group, layer.BlockSize, shape.Window > 0, shape.SoftCap > 0);
        context.Launch(
            Kernel,
            Defines.GetOrAdd(specialization, static key => key.ToDefines()),
            args,
            new LaunchShape(Math.Min(itemCount, context.Device.MultiprocessorCount), Threads, SharedBytes(headDim)));
    }

    /// <summary>Queries as (column, head, token).</summary>
    private static TensorMap QueryMap(CudaContext context, Tensor queries, int tokens, int heads, int headDim, int group, int tileTokens)
    {
        ulong* sizes = stackalloc ulong[] { (ulong)headDim, (ulong)heads, (ulong)tokens };
        ulong* strides = stackalloc ulong[] { (ulong)headDim * sizeof(ushort), (ulong)queries.RowStride * sizeof(ushort) };
        uint* box = stackalloc uint[] { SwizzledColumns, (uint)group, (uint)tileTokens };
        return Encode(context, 3, queries.Address, sizes, strides, box);
    }

    /// <summary>
    /// The cache as (column, row, group of columns, group of rows): a box of 16 tokens lies in shared memory as the tensor cores read it,
    /// eight rows of 128 bytes after the other.
    /// </summary>
    private static TensorMap CacheMap(CudaContext context, nint address, KvLayer layer)
    {
        ulong rowBytes = (ulong)layer.KeyDim * sizeof(ushort);
        ulong rows = (ulong)layer.BlockCount * (ulong)layer.Heads * (ulong)layer.BlockSize;
        uint columnGroups = (uint)layer.KeyDim / SwizzledColumns;
        ulong* sizes = stackalloc ulong[] { SwizzledColumns, 8, columnGroups, rows / 8 };
        ulong* strides = stackalloc ulong[] { rowBytes, SwizzledColumns * sizeof(ushort), 8 * rowBytes };
        uint* box = stackalloc uint[] { SwizzledColumns, 8, columnGroups, CopyTokens / 8 };
        return Encode(context, 4, address, sizes, strides, box);
    }

    private static TensorMap Encode(CudaContext context, uint rank, nint address, ulong* sizes, ulong* strides, uint* box)
    {
        // The driver asks for 64 aligned bytes.
        byte* memory = stackalloc byte[sizeof(TensorMap) + MapAlignment - 1];
        TensorMap* map = (TensorMap*)(((nint)memory + MapAlignment - 1) & -MapAlignment);
        uint* steps = stackalloc uint[] { 1, 1, 1, 1 };
        context.Device.Check(
            Driver.Api.TensorMapEncodeTiled(
                map, context.ActivationType == DType.BFloat16 ? TensorMapType.BFloat16 : TensorMapType.Float16, rank, address, sizes, strides, box, steps, 0,
                TensorMapSwizzle.Bytes128, TensorMapPromotion.Bytes256, 0),
            "cuTensorMapEncodeTiled");
        return *map;
    }

    private static int SharedBytes(int headDim)
    {
        int keyTile = headDim <= 128 ? 128 : 64;
        int queryBuffers = headDim <= 128 ? 2 : 1;
        return (((queryBuffers * TileRows) + (2 * Stages * keyTile)) * headDim * sizeof(ushort)) + StateBytes;
    }

    private static bool IsAligned(Tensor tensor) => tensor.Address % 16 == 0 && tensor.RowStride % 8 == 0;

    private readonly record struct Specialization(int HeadDim, int Group, int BlockSize, bool HasWindow, bool HasSoftCap)
    {
        public KernelDefines ToDefines() => new(
            ("HEAD_DIM", HeadDim), ("GROUP", Group), ("BLOCK_SIZE", BlockSize), ("WINDOW", HasWindow ? 1 : 0), ("SOFT_CAP", HasSoftCap ? 1 : 0));
    }

    private struct Args
    {
        public TensorMap QueryMap;
        public TensorMap KeyMap;
        public TensorMap ValueMap;
        public nint Output;
        public nint QueryStarts;
        public nint ContextLengths;
        public nint BlockTables;
        public nint Sinks;
        public nint Counters;
        public int OutputStride;
        public int TableStride;
        public int SequenceCount;
        public int KvHeads;
        public int ItemCount;
        public int DecodeRows;
        public int Window;
        public float Scale;
        public float SoftCap;
    }
}
