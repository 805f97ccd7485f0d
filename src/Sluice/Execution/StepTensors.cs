using Sluice.Compute;
using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>
/// The integers of a step on the device, allocated once for the largest step. Owned by <see cref="ModelRunner"/>, used on the rank thread.
/// </summary>
internal sealed class StepTensors
{
    private readonly IBackend _backend;
    private readonly Tensor _tokenIds; // [1, maxTokens]
    private readonly Tensor _positions; // [1, maxTokens]
    private readonly Tensor _slots; // [1, maxTokens]
    private readonly Tensor _queryStarts; // [1, maxSequences + 1]
    private readonly Tensor _contextLengths; // [1, maxSequences]
    private readonly Tensor _blockTables; // room for [maxSequences, maxBlocks]
    private readonly Tensor _rows; // [1, maxSequences]

    /// <param name="backend">The device.</param>
    /// <param name="maxTokens">Tokens of the largest step.</param>
    /// <param name="maxSequences">Sequences of the largest step.</param>
    /// <param name="maxBlocks">Blocks of the longest sequence.</param>
    public StepTensors(IBackend backend, int maxTokens, int maxSequences, int maxBlocks)
    {
        _backend = backend;
        _tokenIds = backend.Allocate(1, maxTokens, DType.Int32);
        _positions = backend.Allocate(1, maxTokens, DType.Int32);
        _slots = backend.Allocate(1, maxTokens, DType.Int32);
        _queryStarts = backend.Allocate(1, maxSequences + 1, DType.Int32);
        _contextLengths = backend.Allocate(1, maxSequences, DType.Int32);
        _blockTables = backend.Allocate(maxSequences, maxBlocks, DType.Int32);
        _rows = backend.Allocate(1, maxSequences, DType.Int32);
        LastSampled = backend.Allocate(1, maxSequences, DType.Int32);
    }

    /// <summary>What was last sampled for each slot: [1, maxSequences]. Lives from step to step.</summary>
    public Tensor LastSampled { get; }

    /// <summary>Copies a plan to the device and fills in the ids that are still there.</summary>
    public (Tensor TokenIds, AttentionPlan Plan) Upload(BatchPlan plan)
    {
        Tensor tokenIds = Upload(_tokenIds, plan.TokenIds.AsSpan(0, plan.TokenCount));
        _backend.ResolveTokenIds(tokenIds, LastSampled);
        int stride = plan.BlockTableStride;
        Tensor blockTables = new(_blockTables.Address, DType.Int32, plan.SequenceCount, stride);
        _backend.Upload(blockTables, plan.BlockTables.AsSpan(0, plan.SequenceCount * stride));
        return (tokenIds, new AttentionPlan(
            Upload(_queryStarts, plan.QueryStarts.AsSpan(0, plan.SequenceCount + 1)),
            Upload(_contextLengths, plan.ContextLengths.AsSpan(0, plan.SequenceCount)),
            blockTables,
            Upload(_positions, plan.Positions.AsSpan(0, plan.TokenCount)),
            Upload(_slots, plan.Slots.AsSpan(0, plan.TokenCount)),
            plan.SequenceCount,
            plan.TokenCount,
            plan.MaxQueryCount,
            plan.MaxContextLength));
    }

    /// <summary>The same for one sequence of one block, which no plan knows of.</summary>
    public (Tensor TokenIds, AttentionPlan Plan) Upload(
        ReadOnlySpan<int> tokenIds, ReadOnlySpan<int> positions, ReadOnlySpan<int> slots, int block)
    {
        int count = tokenIds.Length;
        Tensor blockTables = new(_blockTables.Address, DType.Int32, 1, 1);
        _backend.Upload<int>(blockTables, [block]);
        return (Upload(_tokenIds, tokenIds), new AttentionPlan(
            Upload(_queryStarts, [0, count]),
            Upload(_contextLengths, [count]),
            blockTables,
            Upload(_positions, positions),
            Upload(_slots, slots),
            SequenceCount: 1,
            count,
            MaxQueryCount: count,
            MaxContextLength: count));
    }

    /// <summary>Row numbers for a gather: [1, rows].</summary>
    public Tensor UploadRows(ReadOnlySpan<int> rows) => Upload(_rows, rows);

    private Tensor Upload(Tensor room, ReadOnlySpan<int> values)
    {
        Tensor tensor = room.SliceColumns(0, values.Length);
        _backend.Upload(tensor, values);
        return tensor;
    }
}
