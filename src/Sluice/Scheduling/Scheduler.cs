using System.Diagnostics;
using Sluice.KvCache;

namespace Sluice.Scheduling;

/// <summary>What came of an attempt to schedule a step.</summary>
internal enum ScheduleOutcome
{
    /// <summary>The plan has tokens.</summary>
    Scheduled,

    /// <summary>Nothing can run now.</summary>
    NothingToRun,

    /// <summary>Running sequences are out of blocks; what the step in flight finishes may free some, so nothing is preempted on a guess.</summary>
    AwaitStepInFlight,
}

/// <summary>
/// Decides what runs. There is no prefill mode and no decode mode: a step is a token budget, spent on running sequences
/// first and then on waiting ones. A prompt is admitted when all of it fits and takes its blocks at once; generated tokens
/// take a block when they reach it, and when none is left the lowest in order among the running is preempted: its blocks move to host
/// memory, or it is computed again later. Used by the engine loop only.
/// </summary>
internal sealed class Scheduler
{
    private readonly SchedulerOptions _options;
    private readonly BlockPool _pool;
    private readonly PrefixCache? _cache;
    private readonly EngineMetrics _metrics;
    private readonly Swapper _swapper;

    // Kept sorted by SequenceOrder: the last is the first to be preempted and the last to be served.
    private readonly List<Sequence> _running = [];
    private readonly SortedSet<Sequence> _waiting = new(SequenceOrder.Instance);
    private readonly Stack<int> _freeSlots = new();

    // Kept, so that a Debug build's steps allocate as little as a Release build's.
    private readonly Dictionary<int, int> _ownersForChecks = [];
    private readonly List<SlotChange> _slotReleases = [];

    // Blocks left free when a sequence is admitted beside others, so that it is not preempted at once.
    private readonly int _watermark;

    public Scheduler(SchedulerOptions options, BlockPool pool, PrefixCache? cache, EngineMetrics metrics, SwapSpace? swapSpace = null)
    {
        _swapper = new Swapper(swapSpace, pool, options.BlockSize);
        _options = options;
        _pool = pool;
        _cache = cache;
        _metrics = metrics;
        _watermark = pool.TotalCount / 100;
        for (int slot = options.MaxSequences - 1; slot >= 0; slot--)
        {
            _freeSlots.Push(slot);
        }
    }

    public int RunningCount => _running.Count;

    /// <summary>Sequences that wait with nothing computed, or with what the prefix cache may still hold.</summary>
    public int WaitingCount => Math.Max(0, _waiting.Count - _swapper.SequenceCount);

    /// <summary>Host memory and who is in it.</summary>
    public Swapper Swapper => _swapper;

    public BlockPool Pool => _pool;

    /// <summary>Puts a new or held sequence among the waiting.</summary>
    public void Add(Sequence sequence)
    {
        sequence.State = SequenceState.Waiting;
        _waiting.Add(sequence);
    }

    /// <summary>Ends a sequence in whatever state it is; steps in flight may still name it.</summary>
    public void Finish(Sequence sequence)
    {
        switch (sequence.State)
        {
            case SequenceState.Waiting:
                _waiting.Remove(sequence);
                break;
            case SequenceState.Swapped:
                _waiting.Remove(sequence);
                _swapper.Forget(sequence);
                break;
            case SequenceState.Running:
                _running.Remove(sequence);
                Release(sequence);
                break;
        }

        sequence.State = SequenceState.Finished;
    }

    /// <summary>Fills an empty plan with the next step.</summary>
    /// <param name="plan">An empty plan.</param>
    /// <param name="stepInFlight">A step is handed over whose results are not known yet.</param>
    /// <param name="now">Stopwatch ticks, for the metrics.</param>
    public ScheduleOutcome Schedule(BatchPlan plan, bool stepInFlight, long now)
    {
        if (stepInFlight && NewBlocksOfRunning() > _pool.FreeCount)
        {
            return ScheduleOutcome.AwaitStepInFlight;
        }

        int budget = _options.MaxBatchedTokens;
        bool preempted = false;
        for (int i = 0; i < _running.Count && budget > 0; i++)
        {
            Sequence sequence = _running[i];
            if (!IsRunnable(sequence))
            {
                continue;
            }

            int count = Math.Min(Chunk(sequence.TotalCount - sequence.ScheduledCount), budget);
            if (!MakeRoom(sequence, count, ref preempted))
            {
                break;
            }

            plan.Add(sequence, count);
            budget -= count;
        }

        while (!preempted && budget > 0 && TryAdmit(plan, ref budget, now))
        {
        }

        _swapper.HandOver(plan);
        if (plan.TokenCount == 0)
        {
            return ScheduleOutcome.NothingToRun;
        }

        // Releases first: a slot may have found a new owner in this very plan.
        plan.SlotChanges.InsertRange(0, _slotReleases);
        _slotReleases.Clear();
        plan.Seal();
        return ScheduleOutcome.Scheduled;
    }

    /// <summary>Notes that a step computed tokens of a running sequence, and offers its full blocks to the prefix cache.</summary>
    public void OnComputed(Sequence sequence, int count)
    {
        sequence.ComputedCount += count;
        if (_cache is null)
        {
            return;
        }

        // Full blocks only, and only of tokens whose ids are known.
        int full = Math.Min(sequence.ComputedCount, sequence.KnownCount) / _options.BlockSize;
        Span<int> tokens = stackalloc int[_options.BlockSize];
        for (int i = sequence.CommittedBlockCount; i < full; i++)
        {
            sequence.CopyTokens(i * _options.BlockSize, tokens);
            _cache.Add(sequence.Blocks[i], sequence.BlockKey(i, _cache), sequence.ParentKey(i, _cache), tokens);
        }

        sequence.CommittedBlockCount = Math.Max(sequence.CommittedBlockCount, full);
    }

    /// <summary>Throws when the books do not balance. O(blocks), for Debug builds and tests.</summary>
    public void CheckInvariants()
    {
        _pool.CheckConsistency();
        Expect(_running.Count <= _options.MaxSequences, "more sequences run than allowed");
        Expect(_running.Count + _freeSlots.Count == _options.MaxSequences, "a slot was lost");
        Dictionary<int, int> owners = _ownersForChecks;
        owners.Clear();
        for (int i = 0; i < _running.Count; i++)
        {
            Sequence sequence = _running[i];
            Expect(sequence.State == SequenceState.Running && sequence.Slot >= 0, "a running sequence has no slot");
            Expect(i == 0 || SequenceOrder.Instance.Compare(_running[i - 1], sequence) < 0, "running sequences are out of order");
            Expect(sequence.ComputedCount <= sequence.ScheduledCount && sequence.ScheduledCount <= sequence.TotalCount, "tokens were miscounted");
            Expect(sequence.ScheduledCount <= sequence.Blocks.Count * _options.BlockSize, "a token has no block");
            for (int b = 0; b < sequence.Blocks.Count; b++)
            {
                int block = sequence.Blocks[b];
                bool first = owners.TryAdd(block, 1);
                owners[block] += first ? 0 : 1;
                Expect(first || (_cache?.Contains(block) ?? false), "a block that is no cached prefix has two owners");
            }
        }

        foreach ((int block, int count) in owners)
        {
            Expect(_pool.References(block) == count, "a block's references are miscounted");
        }

        Expect(owners.Count == _pool.UsedCount, "a used block has no owner");
        foreach (Sequence sequence in _waiting)
        {
            Expect(
                sequence.State is SequenceState.Waiting or SequenceState.Swapped && sequence.Blocks.Count == 0 && sequence.Slot < 0,
                "a waiting sequence holds something");
        }

        _swapper.CheckInvariants(_waiting);
    }

    /// <summary>The same for an engine with nothing to do, where counts suffice: O(1).</summary>
    public void CheckIdle() => Expect(
        _running.Count > 0 || _waiting.Count > 0
            || (_pool.UsedCount == 0 && _swapper.UsedBlockCount == 0 && _freeSlots.Count == _options.MaxSequences),
        $"{_pool.UsedCount} blocks and {_swapper.UsedBlockCount} of host memory are in use while nothing runs");

    internal static void Expect(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"Scheduler: {otherwise}.");
        }
    }

    private static bool IsStalled(Sequence sequence) => sequence.Request.Stream.IsFull(sequence.ChoiceIndex);

    private static bool IsRunnable(Sequence sequence) =>
        sequence.ScheduledCount < sequence.TotalCount && !sequence.IsComplete && !IsStalled(sequence);

    private int Chunk(int count) =>
        _options.LongPrefillThreshold > 0 && _options.ChunkedPrefill ? Math.Min(count, _options.LongPrefillThreshold) : count;

    private int BlocksFor(int tokens) => (tokens + _options.BlockSize - 1) / _options.BlockSize;

    /// <summary>Blocks that the next token of every running sequence would take.</summary>
    private int NewBlocksOfRunning()
    {
        int count = 0;
        foreach (Sequence sequence in _running)
        {
            if (IsRunnable(sequence) && sequence.ScheduledCount == sequence.Blocks.Count * _options.BlockSize)
            {
                count++;
            }
        }

        return count;
    }

    /// <summary>Blocks for the next tokens of a running sequence, preempting from the end; false when it was preempted itself.</summary>
    private bool MakeRoom(Sequence sequence, int count, ref bool preempted)
    {
        int missing = BlocksFor(sequence.ScheduledCount + count) - sequence.Blocks.Count;
        while (missing > 0 && !_pool.TryAllocate(missing, sequence.Blocks))
        {
            Sequence victim = _running[^1];
            Preempt(victim);
            preempted = true;
            if (victim == sequence)
            {
                return false;
            }
        }

        return true;
    }

    private void Preempt(Sequence sequence)
    {
        Debug.Assert(sequence.PendingCount == 0, "Only sequences whose tokens are all known are preempted.");
        _running.RemoveAt(_running.Count - 1);
        sequence.State = _swapper.TryMoveOut(sequence) ? SequenceState.Swapped : SequenceState.Waiting;
        Release(sequence);
        _waiting.Add(sequence);
        _metrics.OnPreempted();
    }

    private void Release(Sequence sequence)
    {
        _pool.Release(sequence.Blocks);
        _slotReleases.Add(new SlotChange(sequence.Slot, null, 0, default, default));
        _freeSlots.Push(sequence.Slot);
        sequence.Slot = -1;
        sequence.ScheduledCount = 0;
        sequence.ComputedCount = 0;
        sequence.CommittedBlockCount = 0;
    }

    /// <summary>Starts the first waiting sequence if its tokens fit; false when no more can start in this step.</summary>
    private bool TryAdmit(BatchPlan plan, ref int budget, long now)
    {
        if (_freeSlots.Count == 0 || FirstWaiting() is not Sequence sequence || sequence.IsMovingOut)
        {
            return false;
        }

        int hits = FindCachedBlocks(sequence, out int hitsWithoutOwner);
        if (sequence.State == SequenceState.Swapped && hits < sequence.FirstHostBlock)
        {
            // The prefix that it left to the cache is gone, and what lies in host memory is of no use without it.
            _swapper.Drop(sequence);
        }

        int ready = Math.Max(hits * _options.BlockSize, sequence.SwappedCount);
        int missing = BlocksFor(sequence.KnownCount) - hits;
        int reserve = _running.Count == 0 ? 0 : _watermark;
        int count = sequence.KnownCount - ready;
        if (missing + hitsWithoutOwner + reserve > _pool.FreeCount || (!_options.ChunkedPrefill && count > budget))
        {
            return false;
        }

        _waiting.Remove(sequence);
        for (int i = 0; i < hits; i++)
        {
            _pool.Share(FindBlock(sequence, i), sequence.Blocks);
        }

        _pool.TryAllocate(missing, sequence.Blocks);
        if (sequence.State == SequenceState.Swapped)
        {
            _swapper.MoveIn(sequence, hits, plan);
        }

        sequence.ScheduledCount = sequence.ComputedCount = ready;
        sequence.CommittedBlockCount = hits;
        sequence.Slot = _freeSlots.Pop();
        sequence.State = SequenceState.Running;
        int place = _running.BinarySearch(sequence, SequenceOrder.Instance);
        _running.Insert(~place, sequence);
        NoteAdmission(sequence, now);

        plan.SlotChanges.Add(
            new SlotChange(sequence.Slot, sequence.Request.Sampling, sequence.Seed, sequence.Prompt, sequence.Outputs));
        count = Math.Min(Chunk(count), budget);
        plan.Add(sequence, count);
        budget -= count;
        return true;
    }

    private void NoteAdmission(Sequence sequence, long now)
    {
        if (sequence.Timings.Scheduled == 0)
        {
            sequence.CachedTokenCount = sequence.ScheduledCount;
            if (_cache is not null)
            {
                _metrics.OnPrefixLookup(sequence.Prompt.Length, sequence.ScheduledCount);
            }
        }

        _metrics.OnScheduled(ref sequence.Timings, now);
    }

    /// <summary>The first waiting sequence whose reader keeps up.</summary>
    private Sequence? FirstWaiting()
    {
        Sequence? first = _waiting.Min;
        if (first is null || !IsStalled(first))
        {
            return first;
        }

        foreach (Sequence sequence in _waiting)
        {
            if (!IsStalled(sequence))
            {
                return sequence;
            }
        }

        return null;
    }

    /// <summary>Leading blocks that the prefix cache holds; never all tokens, since the last one's logits are needed.</summary>
    private int FindCachedBlocks(Sequence sequence, out int withoutOwner)
    {
        withoutOwner = 0;
        if (_cache is null || sequence.Request.NeedsPromptScores)
        {
            return 0;
        }

        int limit = (sequence.KnownCount - 1) / _options.BlockSize;
        for (int i = 0; i < limit; i++)
        {
            int block = FindBlock(sequence, i);
            if (block < 0)
            {
                return i;
            }

            withoutOwner += _pool.References(block) == 0 ? 1 : 0;
        }

        return limit;
    }

    private int FindBlock(Sequence sequence, int index)
    {
        Span<int> tokens = stackalloc int[_options.BlockSize];
        sequence.CopyTokens(index * _options.BlockSize, tokens);
        return _cache!.Find(sequence.BlockKey(index, _cache), sequence.ParentKey(index, _cache), tokens);
    }
}
