using Sluice.Compute;
using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>
/// The integers of a step on the device, allocated once for the largest step. All but the block tables go there in one copy, packed;
/// where they lie follows from the numbers of rows and sequences alone, so that a captured graph finds them where it expects them.
/// Owned by <see cref="ModelRunner"/>, used on the rank thread.
/// </summary>
internal sealed class StepTensors
{
    // Sections begin at multiples of this many integers, so that kernels may read 16 bytes at a time.
    private const int SectionAlignment = 32;
    private const int SectionCount = 6;

    private readonly IBackend _backend;
    private readonly Tensor _packed; // [1, room for the largest step]
    private readonly Tensor _blockTables; // room for [maxSequences, maxBlocks]
    private readonly int _blockSize;
    private readonly int _scratchBlock;
    private int _used;

    /// <param name="backend">The device.</param>
    /// <param name="maxTokens">Tokens of the largest step.</param>
    /// <param name="maxSequences">Sequences of the largest step, padding included.</param>
    /// <param name="maxBlocks">Blocks of the longest sequence.</param>
    /// <param name="blockSize">Tokens a block.</param>
    /// <param name="scratchBlock">A block that no sequence owns, where padding writes.</param>
    public StepTensors(IBackend backend, int maxTokens, int maxSequences, int maxBlocks, int blockSize, int scratchBlock)
    {
        _backend = backend;
        _blockSize = blockSize;
        _scratchBlock = scratchBlock;
        int packed = (3 * maxTokens) + (3 * maxSequences) + 1 + (SectionCount * SectionAlignment);
        _packed = backend.Allocate(1, packed, DType.Int32);
        _blockTables = backend.Allocate(maxSequences, maxBlocks, DType.Int32);
        LastSampled = backend.Allocate(1, maxSequences, DType.Int32);
        StagingBytes = ((long)packed + ((long)maxSequences * maxBlocks) + SectionAlignment) * sizeof(int);
    }

    /// <summary>What was last sampled for each slot: [1, maxSequences]. Lives from step to step.</summary>
    public Tensor LastSampled { get; }

    /// <summary>Host memory that one step's copies need.</summary>
    public long StagingBytes { get; }

    /// <summary>Copies a plan to the device.</summary>
    /// <param name="plan">The step.</param>
    /// <param name="staging">Of the step.</param>
    /// <param name="sampleRows">Rows that are sampled: [1, samples].</param>
    /// <returns>Ids, of which those below zero are still to be filled in from <see cref="LastSampled"/>, and the plan.</returns>
    public (Tensor TokenIds, AttentionPlan Plan) Upload(BatchPlan plan, UploadStaging staging, out Tensor sampleRows)
    {
        int tokens = plan.TokenCount;
        int sequences = plan.SequenceCount;
        Span<int> host = Begin(tokens, sequences, plan.SampleCount, staging, out long offsetBytes);
        Tensor tokenIds = Put(host, plan.TokenIds.AsSpan(0, tokens), tokens);
        Tensor positions = Put(host, plan.Positions.AsSpan(0, tokens), tokens);
        Tensor slots = Put(host, plan.Slots.AsSpan(0, tokens), tokens);
        Tensor queryStarts = Put(host, plan.QueryStarts.AsSpan(0, sequences + 1), sequences + 1);
        Tensor contextLengths = Put(host, plan.ContextLengths.AsSpan(0, sequences), sequences);
        sampleRows = Put(host, plan.SampleRows.AsSpan(0, plan.SampleCount), plan.SampleCount);
        staging.Send(_packed.SliceColumns(0, host.Length), offsetBytes);

        int stride = plan.BlockTableStride;
        Tensor blockTables = new(_blockTables.Address, DType.Int32, sequences, stride);
        staging.Upload<int>(blockTables, plan.BlockTables.AsSpan(0, sequences * stride));
        return (tokenIds, new AttentionPlan(
            queryStarts, contextLengths, blockTables, positions, slots, sequences, tokens, plan.MaxQueryCount, plan.MaxContextLength));
    }

    /// <summary>
    /// Copies a step of one token a sequence to the device, padded to a number of sequences. Tensors and numbers depend on that
    /// number alone: operations captured with them serve every such step. Padding is a context of one token in the scratch block.
    /// </summary>
    /// <param name="plan">The step; none for padding only.</param>
    /// <param name="size">Sequences and tokens with the padding.</param>
    /// <param name="staging">Of the step.</param>
    /// <param name="sampleRows">Rows that are sampled: [1, samples].</param>
    public (Tensor TokenIds, AttentionPlan Plan) UploadPadded(BatchPlan? plan, int size, UploadStaging staging, out Tensor sampleRows)
    {
        int count = plan?.SequenceCount ?? 0;
        int samples = plan?.SampleCount ?? 0;
        Span<int> host = Begin(size, size, samples, staging, out long offsetBytes);
        Tensor tokenIds = Put(host, plan is null ? [] : plan.TokenIds.AsSpan(0, count), size);
        Tensor positions = Put(host, plan is null ? [] : plan.Positions.AsSpan(0, count), size);
        Tensor slots = Put(host, plan is null ? [] : plan.Slots.AsSpan(0, count), size, _scratchBlock * _blockSize);
        int startsAt = _used;
        Tensor queryStarts = Put(host, [], size + 1);
        for (int i = 0; i <= size; i++)
        {
            host[startsAt + i] = i;
        }

        Tensor contextLengths = Put(host, plan is null ? [] : plan.ContextLengths.AsSpan(0, count), size, padding: 1);
        sampleRows = Put(host, plan is null ? [] : plan.SampleRows.AsSpan(0, samples), samples);
        staging.Send(_packed.SliceColumns(0, host.Length), offsetBytes);

        int stride = plan?.BlockTableStride ?? 1;
        Span<int> tables = staging.Reserve<int>(size * stride, out offsetBytes);
        plan?.BlockTables.AsSpan(0, count * stride).CopyTo(tables);
        tables[(count * stride)..].Fill(_scratchBlock);
        int maxBlocks = _blockTables.Columns;
        staging.Send(new Tensor(_blockTables.Address, DType.Int32, size, stride, maxBlocks), offsetBytes);
        return (tokenIds, new AttentionPlan(
            queryStarts, contextLengths, _blockTables.SliceRows(0, size), positions, slots, size, size, MaxQueryCount: 1,
            MaxContextLength: maxBlocks * _blockSize));
    }

    /// <summary>Equally long sequences of zeros in the scratch block, which no plan knows of.</summary>
    public (Tensor TokenIds, AttentionPlan Plan) UploadScratch(int sequenceCount, int length, UploadStaging staging)
    {
        int tokenCount = sequenceCount * length;
        Span<int> host = Begin(tokenCount, sequenceCount, 0, staging, out long offsetBytes);
        Tensor tokenIds = Put(host, [], tokenCount);
        int positionsAt = _used;
        Tensor positions = Put(host, [], tokenCount);
        int slotsAt = _used;
        Tensor slots = Put(host, [], tokenCount);
        for (int i = 0; i < tokenCount; i++)
        {
            host[positionsAt + i] = i % length;
            host[slotsAt + i] = (_scratchBlock * _blockSize) + (i % length % _blockSize);
        }

        int startsAt = _used;
        Tensor queryStarts = Put(host, [], sequenceCount + 1);
        for (int i = 0; i <= sequenceCount; i++)
        {
            host[startsAt + i] = i * length;
        }

        Tensor contextLengths = Put(host, [], sequenceCount, length);
        staging.Send(_packed.SliceColumns(0, host.Length), offsetBytes);

        int stride = (length + _blockSize - 1) / _blockSize;
        staging.Reserve<int>(sequenceCount * stride, out offsetBytes).Fill(_scratchBlock);
        Tensor blockTables = new(_blockTables.Address, DType.Int32, sequenceCount, stride);
        staging.Send(blockTables, offsetBytes);
        return (tokenIds, new AttentionPlan(
            queryStarts, contextLengths, blockTables, positions, slots, sequenceCount, tokenCount, length, length));
    }

    /// <summary>Room for the sections, to be filled in order.</summary>
    private Span<int> Begin(int tokens, int sequences, int samples, UploadStaging staging, out long offsetBytes)
    {
        int length = (3 * Aligned(tokens)) + Aligned(sequences + 1) + Aligned(sequences) + samples;
        _used = 0;
        return staging.Reserve<int>(length, out offsetBytes);
    }

    /// <summary>Writes the next section and says where on the device it will be.</summary>
    private Tensor Put(Span<int> host, ReadOnlySpan<int> values, int width, int padding = 0)
    {
        Span<int> section = host.Slice(_used, width);
        values.CopyTo(section);
        section[values.Length..].Fill(padding);
        Tensor tensor = _packed.SliceColumns(_used, width);
        _used += Aligned(width);
        return tensor;
    }

    private static int Aligned(int count) => (count + SectionAlignment - 1) / SectionAlignment * SectionAlignment;
}
