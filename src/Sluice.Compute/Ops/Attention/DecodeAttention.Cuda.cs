using System.Collections.Concurrent;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// Attention of sequences with few query rows on CUDA. The grid depends on the device alone and the kernel shares out the work, so
/// that a captured launch stays valid whatever the contexts.
/// </summary>
internal static class DecodeAttentionCuda
{
    private static readonly KernelDefinition<Args> Kernel = new("Attention/DecodeAttention.cu", "decode_attention");

    private static readonly ConcurrentDictionary<VariantKey, Variant> Variants = new();

    /// <summary>Computes the rows of every sequence that has at most <paramref name="decodeRows"/> of them.</summary>
    public static void Run(
        CudaContext context, Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape, int decodeRows)
    {
        VariantKey key = new(
            layer.KeyDim,
            layer.ValueDim,
            shape.Heads / shape.KvHeads,
            layer.BlockSize,
            layer.Type == DType.Float8E4M3,
            ((shape.HeadDim | queries.RowStride) % 2) == 0 && queries.Address % 4 == 0,
            context.Device.MultiprocessorCount,
            context.Device.SharedMemoryPerBlockOptIn);
        if (!Variants.TryGetValue(key, out Variant? variant))
        {
            variant = Variants.GetOrAdd(key, new Variant(key));
        }

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
            Partials = context.Scratch(ScratchKind.AttentionPartials, variant.PartialBytes),
            Counters = context.Scratch(ScratchKind.AttentionCounters, (long)variant.Blocks * sizeof(int)),
            OutputStride = output.RowStride,
            QueryStride = queries.RowStride,
            BlockTableStride = plan.BlockTables.RowStride,
            SequenceCount = plan.SequenceCount,
            KvHeads = shape.KvHeads,
            DecodeRows = decodeRows,
            Window = shape.Window,
            Scale = shape.Scale,
            SoftCap = shape.SoftCap,
        };
        context.Launch(Kernel, variant.Defines, args, new LaunchShape(variant.Blocks, variant.Threads, variant.SharedBytes, IsProgrammatic: true));
    }

    private readonly record struct VariantKey(
        int KeyDim, int ValueDim, int Group, int BlockSize, bool IsFloat8, bool HasPairedQueries, int Multiprocessors, int SharedPerBlock);

    /// <summary>A compilation of the kernel: its pipelines fill the shared memory of the chip.</summary>
    private sealed class Variant
    {
        // As in DecodeAttention.cu.
        private const int TileRows = 16;
        private const int TileTokens = 16;
        private const int MergeRows = 4;

        // One block of threads a multiprocessor: two of half the size are as fast, but leave twice the partial results of a long context.
        private const int MaxWarps = 8;

        // Tiles that a warp has in shared memory fill about so many bytes, where the chip has them.
        private const int PipelineBytes = 20 * 1024;
        private const int MaxStages = 3;

        public Variant(VariantKey key)
        {
            int elementBytes = key.IsFloat8 ? 1 : 2;
            int valuePad = Padded(key.ValueDim, elementBytes);
            int stageBytes = TileTokens * (RowBytes(key.KeyDim, elementBytes) + RowBytes(key.ValueDim, elementBytes));
            Blocks = key.Multiprocessors;
            for (int warps = MaxWarps; warps > 0; warps /= 2)
            {
                for (int stages = Math.Clamp(PipelineBytes / stageBytes, 2, MaxStages); stages >= 2; stages--)
                {
                    Threads = warps * 32;
                    int exchangeFloats = Math.Max(warps * MergeRows * (valuePad + 8), (MergeRows * Blocks) + (Threads * 4));
                    SharedBytes = (warps * stages * stageBytes) + (TileRows * warps * 2 * sizeof(float)) + 16 + (exchangeFloats * sizeof(float));
                    if (SharedBytes > key.SharedPerBlock)
                    {
                        continue;
                    }

                    PartialBytes = 2L * Blocks * TileRows * (valuePad + 2) * sizeof(float);
                    Defines = new KernelDefines(
                        ("HEAD_DIM", key.KeyDim),
                        ("VALUE_DIM", key.ValueDim),
                        ("GROUP", key.Group),
                        ("BLOCK_SIZE", key.BlockSize),
                        ("CACHE_FP8", key.IsFloat8 ? 1 : 0),
                        ("PAIRED_QUERIES", key.HasPairedQueries ? 1 : 0),
                        ("WARPS", warps),
                        ("STAGES", stages));
                    return;
                }
            }

            throw new NotSupportedException($"Attention heads of {key.KeyDim} and {key.ValueDim} elements do not fit the GPU's shared memory.");
        }

        public KernelDefines Defines { get; }

        public int Blocks { get; }

        public int Threads { get; }

        public int SharedBytes { get; }

        /// <summary>Two partial results a block of threads, of 16 rows each, with their maxima and sums.</summary>
        public long PartialBytes { get; }

        private static int Padded(int elements, int elementBytes)
        {
            int granule = 32 / elementBytes;
            return (elements + granule - 1) / granule * granule;
        }

        // An odd number of 16-byte words.
        private static int RowBytes(int elements, int elementBytes) => ((Padded(elements, elementBytes) * elementBytes / 16) | 1) * 16;
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
        public nint Partials;
        public nint Counters;
        public long OutputStride;
        public long QueryStride;
        public long BlockTableStride;
        public int SequenceCount;
        public int KvHeads;
        public int DecodeRows;
        public int Window;
        public float Scale;
        public float SoftCap;
    }
}
