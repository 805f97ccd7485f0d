using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Linear;


namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// Attention in place over the paged cache, as <see cref="PagedAttentionReference"/> defines it. A part of the work is a tile of
/// query tokens of one sequence with query heads of one key-value head (all of them where they are few), which share what is read of
/// the cache.
/// </summary>
internal static unsafe class PagedAttentionSimd
{
    // Query rows (tokens by heads of a group) of a tile: their scores and sums stay in the first two cache levels.
    private const int TileRows = 48;

    public static void Run(CpuContext context, Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape)
    {
        Guard.RequireShapes(
            queries.Columns == shape.Heads * shape.HeadDim && output.Columns == shape.Heads * layer.ValueDim
                && layer.KeyDim == shape.HeadDim && layer.Heads == shape.KvHeads && shape.Heads % shape.KvHeads == 0
                && queries.Rows >= plan.TokenCount && output.Rows >= plan.TokenCount
                && (shape.Sinks.Address == 0 || (shape.Sinks.Type == DType.Float32 && shape.Sinks.Columns == shape.Heads)),
            "PagedAttention");
        switch (layer.Type)
        {
            case DType.Float32:
                Run<Float32Panel>(context, output, queries, layer, plan, shape);
                break;
            case DType.Float16:
                Run<Float16Panel>(context, output, queries, layer, plan, shape);
                break;
            default:
                Run<BFloat16Panel>(context, output, queries, layer, plan, shape);
                break;
        }
    }

    private static void Run<TFormat>(
        CpuContext context, Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape)
        where TFormat : unmanaged, IPanelFormat
    {
        int group = shape.Heads / shape.KvHeads;
        int headTiles = (group + TileRows - 1) / TileRows;
        int headsPerTile = (group + headTiles - 1) / headTiles;
        int tokensPerTile = Math.Max(1, TileRows / headsPerTile);
        int* queryStarts = (int*)plan.QueryStarts.Address;
        int tiles = 0;
        for (int sequence = 0; sequence < plan.SequenceCount; sequence++)
        {
            tiles += TilesOf(queryStarts, sequence, tokensPerTile);
        }

        int parts = tiles * shape.KvHeads * headTiles;
        AttentionTile.Layout scratch = new(
            Math.Min(tokensPerTile, plan.MaxQueryCount) * headsPerTile, shape.HeadDim, layer.ValueDim, layer.ValuesInKeys);
        context.Scratch.EnsureThreadBytes(scratch.SizeBytes);

        // A few decodes over long contexts leave most threads without a tile: they share the partitions of the context instead.
        int partitions = (plan.MaxContextLength + PagedAttentionReference.PartitionTokens - 1) / PagedAttentionReference.PartitionTokens;
        bool split = partitions > 1 && parts < context.Pool.Threads * 2 && plan.MaxQueryCount * headsPerTile <= TileRows;
        long savedFloats = split ? (long)parts * partitions * scratch.SavedFloats : 0;
        int* tileStarts = (int*)context.Scratch.Shared((savedFloats + plan.SequenceCount + 1) * sizeof(int));
        tileStarts[0] = 0;
        for (int sequence = 0; sequence < plan.SequenceCount; sequence++)
        {
            tileStarts[sequence + 1] = tileStarts[sequence] + TilesOf(queryStarts, sequence, tokensPerTile);
        }

        AttentionJob<TFormat> job = new()
        {
            Output = output,
            Queries = queries,
            Layer = layer,
            Plan = plan,
            Shape = shape,
            Scratch = scratch,
            ThreadScratch = context.Scratch.ThreadBuffers,
            TileStarts = tileStarts,
            TokensPerTile = tokensPerTile,
            HeadTiles = headTiles,
            HeadsPerTile = headsPerTile,
            Partitions = partitions,
            Saved = (float*)(tileStarts + plan.SequenceCount + 1),
        };
        if (split)
        {
            job.Phase = AttentionPhase.Partition;
            context.Pool.Run(ref job, parts * partitions);
            job.Phase = AttentionPhase.Merge;
        }

        context.Pool.Run(ref job, parts);
    }

    private static int TilesOf(int* queryStarts, int sequence, int tokensPerTile)
        => (queryStarts[sequence + 1] - queryStarts[sequence] + tokensPerTile - 1) / tokensPerTile;

    /// <summary>What a part of the job does.</summary>
    private enum AttentionPhase
    {
        /// <summary>A tile from its first partition to its output.</summary>
        Whole,

        /// <summary>One partition of a tile, saved.</summary>
        Partition,

        /// <summary>The saved partitions of a tile, in order, to its output.</summary>
        Merge,
    }

    private struct AttentionJob<TFormat> : IParallelJob
        where TFormat : unmanaged, IPanelFormat
    {
        public Tensor Output;
        public Tensor Queries;
        public KvLayer Layer;
        public AttentionPlan Plan;
        public AttentionShape Shape;
        public AttentionTile.Layout Scratch;
        public nint* ThreadScratch;
        public int* TileStarts;
        public int TokensPerTile;
        public int HeadTiles;
        public int HeadsPerTile;
        public int Partitions;
        public float* Saved;
        public AttentionPhase Phase;

        public readonly void Execute(int index, int thread)
        {
            int partition = 0;
            if (Phase == AttentionPhase.Partition)
            {
                partition = index % Partitions * PagedAttentionReference.PartitionTokens;
                index /= Partitions;
            }

            // Late tiles of a prompt see the longest context: they go first.
            int tile = TileStarts[Plan.SequenceCount] - 1 - (index / (Shape.KvHeads * HeadTiles));
            int sequence = new ReadOnlySpan<int>(TileStarts, Plan.SequenceCount + 1).BinarySearch(tile);
            sequence = sequence < 0 ? ~sequence - 1 : LastEqual(sequence, tile);
            int* queryStarts = (int*)Plan.QueryStarts.Address;
            int firstRow = queryStarts[sequence] + ((tile - TileStarts[sequence]) * TokensPerTile);
            int sequenceEnd = queryStarts[sequence + 1];
            int kvHead = index / HeadTiles % Shape.KvHeads;
            int group = Shape.Heads / Shape.KvHeads;
            int firstOfGroup = index % HeadTiles * HeadsPerTile;
            int heads = Math.Min(HeadsPerTile, group - firstOfGroup);
            AttentionTile attention = new()
            {
                Layer = new KvLayout(Layer),
                Scratch = Scratch,
                Buffer = (float*)ThreadScratch[thread],
                Blocks = (int*)Plan.BlockTables.Address + ((long)sequence * Plan.BlockTables.RowStride),
                Shape = Shape,
                KvHead = kvHead,
                FirstHead = (kvHead * group) + firstOfGroup,
                FirstPosition = ((int*)Plan.ContextLengths.Address)[sequence] - (sequenceEnd - firstRow),
                Group = heads,
                Rows = Math.Min(TokensPerTile, sequenceEnd - firstRow) * heads,
                ValueDim = Layer.ValueDim,
            };
            float* saved = Saved + ((long)index * Partitions * Scratch.SavedFloats);
            Tensor queries = Queries.SliceRows(firstRow, attention.Rows / heads);
            Tensor output = Output.SliceRows(firstRow, attention.Rows / heads);
            switch (Phase)
            {
                case AttentionPhase.Whole:
                    attention.LoadQueries(queries);
                    attention.Run<TFormat>();
                    attention.StoreOutput(output);
                    break;
                case AttentionPhase.Partition when partition >= attention.FirstPartition && partition < attention.End:
                    attention.LoadQueries(queries);
                    attention.RunPartition<TFormat>(partition);
                    saved += partition / PagedAttentionReference.PartitionTokens * (long)Scratch.SavedFloats;
                    attention.SavePartition(saved, saved + Scratch.SavedValues);
                    break;
                case AttentionPhase.Merge:
                    MergeSaved(attention, saved);
                    attention.StoreOutput(output);
                    break;
            }
        }

        private readonly void MergeSaved(in AttentionTile attention, float* saved)
        {
            attention.ClearTotals();
            for (int partition = attention.FirstPartition; partition < attention.End; partition += PagedAttentionReference.PartitionTokens)
            {
                float* values = saved + (partition / PagedAttentionReference.PartitionTokens * (long)Scratch.SavedFloats);
                attention.MergePartition(values, values + Scratch.SavedValues);
            }
        }

        // A sequence without rows starts at the same tile as the next one.
        private readonly int LastEqual(int sequence, int tile)
        {
            while (TileStarts[sequence + 1] == tile)
            {
                sequence++;
            }

            return sequence;
        }
    }
}
