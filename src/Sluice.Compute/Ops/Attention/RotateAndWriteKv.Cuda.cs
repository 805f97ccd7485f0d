using System.Numerics;
using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;
using Sluice.Compute.Ops.Norm;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Norms and rotation of queries and keys and the cache write on CUDA, in one launch.</summary>
internal static class RotateAndWriteKvCuda
{
    // 32 and 8 heads of 128 are 448 work items a token: 448 threads take 2.0 us for one token (2.4 us with norms, which are 3.1 us as
    // operations of their own) and 92 us for 8192, 128 threads 2.7 us and 74 us (H100).
    private const int FewTokensBlockThreads = 512;
    private const int ManyTokensBlockThreads = 128;

    // A norm's sum is made within a warp, of 16 elements a thread.
    private const int MaxNormedHeadDim = 512;

    private static readonly KernelDefinition<Args> Kernel = new("Attention/RotateAndWriteKv.cu", "rotate_and_write_kv");

    private static readonly DefinesCache<Form> Defines = new(static form => new KernelDefines(
        ("VECTOR", form.Vector), ("QUERY_HEADS", form.QueryHeads), ("KV_HEADS", form.KvHeads), ("HEAD_DIM", form.HeadDim),
        ("VALUE_DIM", form.ValueDim), ("ROTARY_DIM", form.RotaryDim), ("BLOCK_SIZE", form.BlockSize), ("CACHE_FP8", form.IsFp8 ? 1 : 0),
        ("HEAD_NORM", form.HasNorms ? 1 : 0)));

    public static void Run(
        CudaContext context, Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots,
        HeadNorms? norms)
    {
        DType type = context.ActivationType;
        Guard.RequireShapes(
            queries.Columns % layer.KeyDim == 0 && keys.Columns == layer.Heads * layer.KeyDim
                && values.Columns == layer.Heads * layer.ValueDim && queries.Rows == keys.Rows && values.Rows == keys.Rows
                && table.RotaryDim <= layer.KeyDim && table.RotaryDim / 2 <= table.Cosines.Columns
                && table.Cosines.RowStride == table.Sines.RowStride && keys.Rows <= positions.Columns && keys.Rows <= slots.Columns
                && queries.Type == type && keys.Type == type && values.Type == type
                && (layer.Type == type || layer.Type == DType.Float8E4M3)
                && (norms is not { } n || (n.QueryGain.Columns == layer.KeyDim && n.KeyGain.Columns == layer.KeyDim)),
            "RotateAndWriteKv");
        if (keys.Rows == 0)
        {
            return;
        }

        bool allowsVectors = AllowsVectors(queries, keys, values, table, layer);
        bool canNorm = allowsVectors && layer.KeyDim <= MaxNormedHeadDim
            && ((norms?.QueryGain.Address | norms?.KeyGain.Address) ?? 0) % 16 == 0;
        if (norms is { } separate && !canNorm)
        {
            RmsNormCuda.Run(context, queries, queries, separate.QueryGain, separate.Epsilon, separate.GainOffset);
            RmsNormCuda.Run(context, keys, keys, separate.KeyGain, separate.Epsilon, separate.GainOffset);
            norms = null;
        }

        Form form = new()
        {
            Vector = allowsVectors ? 8 : 1,
            QueryHeads = queries.Columns / layer.KeyDim,
            KvHeads = layer.Heads,
            HeadDim = layer.KeyDim,
            ValueDim = layer.ValueDim,
            RotaryDim = table.RotaryDim,
            BlockSize = layer.BlockSize,
            IsFp8 = layer.Type == DType.Float8E4M3,
            HasNorms = norms is not null,
        };
        Args args = new()
        {
            Queries = queries.Address,
            Keys = keys.Address,
            Values = values.Address,
            QueryGain = norms?.QueryGain.Address ?? 0,
            KeyGain = norms?.KeyGain.Address ?? 0,
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
            Epsilon = norms?.Epsilon ?? 0,
            GainOffset = norms?.GainOffset ?? 0,
        };
        context.Launch(Kernel, Defines.For(form), args, form.ShapeFor(keys.Rows, context.Device.MultiprocessorCount));
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

        public bool HasNorms { get; init; }

        /// <summary>Whole warps of a token, several tokens a block where a token has few work items.</summary>
        public LaunchShape ShapeFor(int tokens, int multiprocessors)
        {
            int turning = RotaryDim / 2 / Vector;
            int headThreads = turning + (((HeadDim - RotaryDim) / Vector) + 1) / 2;
            int keyThreads = HasNorms ? (int)BitOperations.RoundUpToPowerOf2((uint)headThreads) : headThreads;
            int items = (QueryHeads * (HasNorms ? keyThreads : turning)) + (KvHeads * (keyThreads + (ValueDim / Vector)));
            int most = tokens <= multiprocessors ? FewTokensBlockThreads : ManyTokensBlockThreads;
            int passes = (items + most - 1) / most;
            int threads = ((items + passes - 1) / passes + 31) / 32 * 32;
            int tokensInBlock = Math.Max(1, ManyTokensBlockThreads / threads);
            return new LaunchShape((tokens + tokensInBlock - 1) / tokensInBlock, threads, BlockY: tokensInBlock, IsProgrammatic: true);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Queries;
        public nint Keys;
        public nint Values;
        public nint QueryGain;
        public nint KeyGain;
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
        public float Epsilon;
        public float GainOffset;
    }
}
