using Sluice.Execution;
using Sluice.KvCache;
using Sluice.Requests;
using Sluice.Scheduling;

namespace Sluice.Tests.Execution;

/// <summary>
/// Runs <see cref="EchoModel"/> over a paged cache of states: a row reads the state of the position before it through the block table
/// and writes its own into its slot. A wrong table, a block reused too early or a false prefix hit changes the answer.
/// </summary>
internal sealed class EchoRunner(int blockCount, int blockSize, int maxSequences, int hostBlockCount = 0) : IStepRunner
{
    private readonly ulong[] _cache = new ulong[blockCount * blockSize];
    private readonly ulong[] _hostMemory = new ulong[hostBlockCount * blockSize];
    private readonly SlotState?[] _slots = new SlotState?[maxSequences];
    private readonly int[] _lastSampled = new int[maxSequences];
    private readonly System.Collections.Concurrent.ConcurrentQueue<int[]> _launched = new();

    /// <summary>Called before each step, on the rank thread: may wait or throw.</summary>
    public Action<BatchPlan>? BeforeStep { get; set; }

    /// <summary>Tokens are told only when a step is finished, on the results thread, as by a device that works by itself.</summary>
    public bool IsDeferred { get; set; }

    /// <summary>Called before a step is finished: may wait or throw.</summary>
    public Action<BatchPlan>? BeforeFinish { get; set; }

    /// <summary>Error of an item, given its plan and number.</summary>
    public Func<BatchPlan, int, string?>? ItemError { get; set; }

    public bool IsDeviceBroken { get; set; }

    public bool IsDisposed { get; private set; }

    public long StepCount { get; private set; }

    public long RowCount { get; private set; }

    /// <summary>Blocks copied to host memory.</summary>
    public long MovedOutCount { get; private set; }

    /// <summary>Blocks copied back.</summary>
    public long MovedInCount { get; private set; }

    /// <summary>Computes at once what a device would compute later.</summary>
    public bool Launch(BatchPlan plan, StepResult result, Action forwarded)
    {
        // At once, so that the loop plans on while this step runs.
        forwarded();
        foreach (SlotChange change in plan.SlotChanges)
        {
            Assert.Equal(change.Sampling is null, _slots[change.Slot] is not null);
            _slots[change.Slot] = change.Sampling is null ? null : new SlotState(change.Seed) { OutputCount = change.Outputs.Length };
        }

        BeforeStep?.Invoke(plan);
        MoveBlocks(plan);
        StepCount++;
        RowCount += plan.TokenCount;
        int[] tokens = new int[plan.SampleCount];
        int sample = 0;
        for (int item = 0; item < plan.SequenceCount; item++)
        {
            ulong state = RunRows(plan, item);
            result.ItemErrors[item] = ItemError?.Invoke(plan, item);
            if (sample < plan.SampleCount && plan.SampleItems[sample] == item)
            {
                int slot = plan.SampleSlots[sample];
                SlotState owner = _slots[slot] ?? throw new InvalidOperationException("A sampled row has no slot.");
                int token = EchoModel.NextToken(state, owner.Seed, owner.OutputCount++);
                tokens[sample++] = token;
                _lastSampled[slot] = token;
            }
        }

        foreach (PromptScore score in plan.PromptScores)
        {
            for (int i = 0; i < score.Targets.Length; i++)
            {
                int position = plan.Positions[score.FirstRow + i];
                score.Result.Span[i] = new PositionLogprobs(new TokenLogprob(score.Targets.Span[i], -position, 1), []);
            }
        }

        Array.Fill(result.TokenIds, -1);
        _launched.Enqueue(tokens);
        Assert.True(_launched.Count <= 2);
        return !IsDeferred;
    }

    public void Finish(BatchPlan plan, StepResult result)
    {
        Assert.True(_launched.TryDequeue(out int[]? tokens));
        BeforeFinish?.Invoke(plan);
        tokens.CopyTo(result.TokenIds, 0);
    }

    public void Probe()
    {
        if (IsDeviceBroken)
        {
            throw new InvalidOperationException("broken");
        }
    }

    public void Dispose() => IsDisposed = true;

    private void MoveBlocks(BatchPlan plan)
    {
        foreach (BlockSwap move in plan.MovesOut)
        {
            DeviceBlock(move).CopyTo(HostBlock(move));
        }

        foreach (BlockSwap move in plan.MovesIn)
        {
            HostBlock(move).CopyTo(DeviceBlock(move));
        }

        MovedOutCount += plan.MovesOut.Count;
        MovedInCount += plan.MovesIn.Count;
    }

    private Span<ulong> DeviceBlock(BlockSwap move) => _cache.AsSpan(move.DeviceBlock * blockSize, blockSize);

    private Span<ulong> HostBlock(BlockSwap move) => _hostMemory.AsSpan(move.HostBlock * blockSize, blockSize);

    private ulong RunRows(BatchPlan plan, int item)
    {
        ulong state = 0;
        for (int row = plan.QueryStarts[item]; row < plan.QueryStarts[item + 1]; row++)
        {
            int position = plan.Positions[row];
            int token = plan.TokenIds[row] < 0 ? _lastSampled[-1 - plan.TokenIds[row]] : plan.TokenIds[row];
            state = position == 0 ? 0 : _cache[SlotOf(plan, item, position - 1)];
            state = EchoModel.Extend(state, token);
            Assert.Equal(SlotOf(plan, item, position), plan.Slots[row]);
            _cache[plan.Slots[row]] = state;
        }

        return state;
    }

    private int SlotOf(BatchPlan plan, int item, int position) =>
        (plan.BlockTables[(item * plan.BlockTableStride) + (position / blockSize)] * blockSize) + (position % blockSize);

    private sealed class SlotState(long seed)
    {
        public long Seed => seed;

        public int OutputCount { get; set; }
    }
}
