using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Rotation of queries and keys and the cache write on CUDA, in one launch. Keys themselves stay as they are.</summary>
internal static class RotateAndWriteKvCuda
{
    // 224 threads for 32 and 8 heads of 128: 2.0 us for a token, 2.8 TB/s for 8192 (H100); 448 threads: 1.9 us and 2.4 TB/s.
    private const int MaxBlockThreads = 256;

    private static readonly KernelDefinition<Args> Kernel = new("Attention/RotateAndWriteKv.cu", "rotate_and_write_kv");

    private static readonly DefinesCache<Form> Defines = new(static form => new KernelDefines(
        ("VECTOR", form.Vector), ("QUERY_HEADS", form.QueryHeads), ("KV_HEADS", form.KvHeads), ("HEAD_DIM", form.HeadDim),
        ("VALUE_DIM", form.ValueDim), ("ROTARY_DIM", form.RotaryDim), ("BLOCK_SIZE", form.BlockSize), ("CACHE_FP8", form.IsFp8 ? 1 : 0)));

    public static void Run(
        CudaContext context, Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots)
    {
        DType type = context.ActivationType;
        Guard.RequireShapes(
            queries.Columns % layer.KeyDim == 0 && keys.Columns == layer.Heads * layer.KeyDim
                && values.Columns == layer.Heads * layer.ValueDim && queries.Rows == keys.Rows && values.Rows == keys.Rows
                && table.RotaryDim <= layer.KeyDim && table.RotaryDim / 2 <= table.Cosines.Columns
                && table.Cosines.RowStride == table.Sines.RowStride && keys.Rows <= positions.Columns && keys.Rows <= slots.Columns
                && queries.Type == type && keys.Type == type && values.Type == type
                && (layer.Type == type || layer.Type == DType.Float8E4M3),
            "RotateAndWriteKv");
        if (keys.Rows == 0)
        {
            return;
        }

        Form form = new()
        {
            Vector = AllowsVectors(queries, keys, values, table, layer) ? 8 : 1,
            QueryHeads = queries.Columns / layer.KeyDim,
            KvHeads = layer.Heads,
            HeadDim = layer.KeyDim,
            ValueDim = layer.ValueDim,
            RotaryDim = table.RotaryDim,
            BlockSize = layer.BlockSize,
            IsFp8 = layer.Type == DType.Float8E4M3,
        };
        Args args = new()
        {
            Queries = queries.Address,
            Keys = keys.Address,
            Values = values.Address,
            Positions = positions.Address,
            Cosines = table.Cosines.Address,
            Sines = table.Sines.Address,
            Slots = slots.Address,
            KeyCache = layer.Keys,
            ValueCache = layer.Values,
            QueryStride = queries.RowStride,
            KeyStride = keys.RowStride,
            ValueStride = values.RowStride,
            TableStride = table.Cosines.RowStride,
            PositionCount = table.Cosines.Rows,
            SlotCount = checked(layer.BlockCount * layer.BlockSize),
            Tokens = keys.Rows,
        };
        context.Launch(Kernel, Defines.For(form), args, form.ShapeFor(keys.Rows));
    }

    private static bool AllowsVectors(in Tensor queries, in Tensor keys, in Tensor values, in RotaryTable table, in KvLayer layer)
        => (layer.KeyDim | layer.ValueDim | (table.RotaryDim / 2)) % 8 == 0
            && (table.Cosines.Address | table.Sines.Address | layer.Keys | layer.Values) % 16 == 0
            && (table.RotaryDim == 0 || table.Cosines.RowStride % 4 == 0)
            && RowAccess.Allows16(queries) && RowAccess.Allows16(keys) && RowAccess.Allows16(values);

    private readonly record struct Form
    {
        public int Vector { get; init; }

        public int QueryHeads { get; init; }

        public int KvHeads { get; init; }

        public int HeadDim { get; init; }

        public int ValueDim { get; init; }

        public int RotaryDim { get; init; }

        public int BlockSize { get; init; }

        public bool IsFp8 { get; init; }

        /// <summary>Whole warps of a token, several tokens a block where a token has few work items.</summary>
        public LaunchShape ShapeFor(int tokens)
        {
            int items = (((QueryHeads + KvHeads) * (RotaryDim / 2)) + (KvHeads * (HeadDim - RotaryDim + ValueDim))) / Vector;
            int passes = (items + MaxBlockThreads - 1) / MaxBlockThreads;
            int threads = ((items + passes - 1) / passes + 31) / 32 * 32;
            int tokensInBlock = Math.Max(1, MaxBlockThreads / 2 / threads);
            return new LaunchShape((tokens + tokensInBlock - 1) / tokensInBlock, threads, BlockY: tokensInBlock, IsProgrammatic: true);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Queries;
        public nint Keys;
        public nint Values;
        public nint Positions;
        public nint Cosines;
        public nint Sines;
        public nint Slots;
        public nint KeyCache;
        public nint ValueCache;
        public int QueryStride;
        public int KeyStride;
        public int ValueStride;
        public int TableStride;
        public int PositionCount;
        public int SlotCount;
        public int Tokens;
    }
}
