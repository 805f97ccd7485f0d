using Sluice.KvCache;
using Sluice.Requests;

namespace Sluice.Scheduling;

/// <summary>
/// One step: which tokens of which sequences, where they stand and where their keys and values go. A snapshot of integers: once
/// handed over, the rank thread reads it while the loop goes on to change the sequences. Used again after its step is done.
/// </summary>
internal sealed class BatchPlan
{
    private readonly int _blockSize;

    /// <param name="maxTokens">Token budget.</param>
    /// <param name="maxSequences">Most sequences a step.</param>
    /// <param name="blockSize">Tokens a block.</param>
    public BatchPlan(int maxTokens, int maxSequences, int blockSize)
    {
        _blockSize = blockSize;
        TokenIds = new int[maxTokens];
        Positions = new int[maxTokens];
        Slots = new int[maxTokens];
        QueryStarts = new int[maxSequences + 1];
        ContextLengths = new int[maxSequences];
        Sequences = new Sequence[maxSequences];
        SampleRows = new int[maxSequences];
        SampleSlots = new int[maxSequences];
        SampleItems = new int[maxSequences];
    }

    /// <summary>Sequences in the step; at most one item a sequence.</summary>
    public int SequenceCount { get; private set; }

    /// <summary>Rows in the step.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Rows of which a token is sampled.</summary>
    public int SampleCount { get; private set; }

    public int MaxQueryCount { get; private set; }

    public int MaxContextLength { get; private set; }

    /// <summary>Blocks of the longest sequence.</summary>
    public int BlockTableStride { get; private set; }

    /// <summary>Token of each row; <c>-1 - slot</c> where the id is what was last sampled for that slot.</summary>
    public int[] TokenIds { get; }

    public int[] Positions { get; }

    /// <summary>Cache slot of each row: block * blockSize + offset.</summary>
    public int[] Slots { get; }

    public int[] QueryStarts { get; }

    public int[] ContextLengths { get; }

    /// <summary>[sequences, <see cref="BlockTableStride"/>].</summary>
    public int[] BlockTables { get; private set; } = [];

    /// <summary>For the loop only: the rank thread never looks into a sequence.</summary>
    public Sequence[] Sequences { get; }

    /// <summary>Last row of each sequence that is sampled, rising.</summary>
    public int[] SampleRows { get; }

    /// <summary>Sampler slot of each sampled row.</summary>
    public int[] SampleSlots { get; }

    /// <summary>Item of each sampled row.</summary>
    public int[] SampleItems { get; }

    /// <summary>Changes of the sampler's slots, to be made in this order before the step.</summary>
    public List<SlotChange> SlotChanges { get; } = [];

    /// <summary>Rows whose logits say how likely the next prompt token was.</summary>
    public List<PromptScore> PromptScores { get; } = [];

    /// <summary>Blocks to copy to host memory before anything else.</summary>
    public List<BlockSwap> MovesOut { get; } = [];

    /// <summary>Blocks to copy back from host memory, after <see cref="MovesOut"/> and before the step's own tokens.</summary>
    public List<BlockSwap> MovesIn { get; } = [];

    /// <summary>For the loop only: the sequences of <see cref="MovesOut"/>.</summary>
    public List<Sequence> MovedOut { get; } = [];

    public void Clear()
    {
        MovesOut.Clear();
        MovesIn.Clear();
        MovedOut.Clear();
        Array.Clear(Sequences, 0, SequenceCount);
        SequenceCount = TokenCount = SampleCount = MaxQueryCount = MaxContextLength = BlockTableStride = 0;
        SlotChanges.Clear();
        PromptScores.Clear();
    }

    /// <summary>Adds the next tokens of a sequence, which has blocks for them, and moves it on.</summary>
    public void Add(Sequence sequence, int count)
    {
        int start = sequence.ScheduledCount;
        int known = Math.Min(count, sequence.KnownCount - start);
        sequence.CopyTokens(start, TokenIds.AsSpan(TokenCount, known));
        if (known < count)
        {
            TokenIds[TokenCount + known] = -1 - sequence.Slot;
        }

        ReadOnlySpan<int> blocks = sequence.Blocks.Blocks;
        for (int i = 0; i < count; i++)
        {
            int position = start + i;
            Positions[TokenCount + i] = position;
            Slots[TokenCount + i] = (blocks[position / _blockSize] * _blockSize) + (position % _blockSize);
        }

        if (sequence.Request.NeedsPromptScores)
        {
            AddPromptScore(sequence, start, count);
        }

        sequence.ScheduledCount += count;
        if (sequence.ScheduledCount == sequence.TotalCount)
        {
            SampleRows[SampleCount] = TokenCount + count - 1;
            SampleSlots[SampleCount] = sequence.Slot;
            SampleItems[SampleCount++] = SequenceCount;
            sequence.PendingCount++;
        }

        Sequences[SequenceCount] = sequence;
        ContextLengths[SequenceCount] = sequence.ScheduledCount;
        QueryStarts[SequenceCount++] = TokenCount;
        TokenCount += count;
        QueryStarts[SequenceCount] = TokenCount;
        MaxQueryCount = Math.Max(MaxQueryCount, count);
        MaxContextLength = Math.Max(MaxContextLength, sequence.ScheduledCount);
    }

    /// <summary>Completes the block tables after the last <see cref="Add"/>.</summary>
    public void Seal()
    {
        BlockTableStride = (MaxContextLength + _blockSize - 1) / _blockSize;
        int size = SequenceCount * BlockTableStride;
        if (BlockTables.Length < size)
        {
            BlockTables = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)size)];
        }

        for (int i = 0; i < SequenceCount; i++)
        {
            ReadOnlySpan<int> blocks = Sequences[i].Blocks.Blocks;
            Span<int> row = BlockTables.AsSpan(i * BlockTableStride, BlockTableStride);
            int count = Math.Min(blocks.Length, row.Length);
            blocks[..count].CopyTo(row);
            row[count..].Clear();
        }
    }

    /// <summary>Tokens of an item.</summary>
    public int TokenCountOf(int item) => QueryStarts[item + 1] - QueryStarts[item];

    private void AddPromptScore(Sequence sequence, int start, int count)
    {
        // The row at position p scores the prompt token at p + 1.
        int end = Math.Min(start + count, sequence.Prompt.Length - 1);
        if (end > start)
        {
            PromptScores.Add(new PromptScore(
                SequenceCount, TokenCount, sequence.Prompt.AsMemory(start + 1, end - start),
                sequence.Request.Sampling.PromptLogprobs!.Value, sequence.Request.PromptLogprobs.AsMemory(start + 1, end - start)));
        }
    }
}

/// <summary>A change of the sampler's state for a slot.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Sampling">Parameters of the sequence that takes it; none when the slot becomes free.</param>
/// <param name="Seed">Seed of the sequence.</param>
/// <param name="Prompt">Its prompt.</param>
/// <param name="Outputs">What it generated before it was preempted.</param>
internal readonly record struct SlotChange(
    int Slot, SamplingParams? Sampling, long Seed, ReadOnlyMemory<int> Prompt, ReadOnlyMemory<int> Outputs);

/// <summary>Consecutive rows of a prompt that are scored against the tokens that follow them.</summary>
/// <param name="Item">Item of the plan.</param>
/// <param name="FirstRow">First row.</param>
/// <param name="Targets">The token after each row.</param>
/// <param name="TopCount">Most likely tokens to report; -1 for all.</param>
/// <param name="Result">Where the logprobs of the targets go.</param>
internal readonly record struct PromptScore(
    int Item, int FirstRow, ReadOnlyMemory<int> Targets, int TopCount, Memory<PositionLogprobs?> Result);
