using System.Diagnostics;
using Sluice.KvCache;

namespace Sluice.Scheduling;

/// <summary>
/// Moves blocks of preempted sequences to host memory and back. Decides and keeps the books; the copies are made by the step that
/// the decisions are handed over with: first those out, then those in, then the step's own tokens. So a device block that is moved
/// out can have a new owner in the same step. Used by the engine loop only.
/// </summary>
/// <param name="space">Host memory; none for no swapping.</param>
/// <param name="pool">The device's blocks.</param>
/// <param name="blockSize">Tokens a block.</param>
internal sealed class Swapper(SwapSpace? space, BlockPool pool, int blockSize)
{
    private readonly List<BlockSwap> _moves = [];
    private readonly List<Sequence> _leaving = [];

    /// <summary>Sequences whose blocks lie in host memory.</summary>
    public int SequenceCount { get; private set; }

    /// <summary>Times that a sequence's blocks were moved out.</summary>
    public long MoveOutCount { get; private set; }

    public int TotalBlockCount => space?.Blocks?.TotalCount ?? 0;

    public int UsedBlockCount => space?.Blocks?.UsedCount ?? 0;

    /// <summary>
    /// Takes room for what a sequence has computed and notes the copies, before its blocks are released. False when computing
    /// it again is cheaper or there is no room. Leading blocks that others hold too stay where they are: the prefix cache will find them.
    /// </summary>
    public bool TryMoveOut(Sequence sequence)
    {
        if (space?.Blocks is not BlockPool hostBlocks)
        {
            return false;
        }

        int end = (sequence.ComputedCount + blockSize - 1) / blockSize;
        int first = 0;
        while (first < end && pool.References(sequence.Blocks[first]) > 1 && !sequence.Request.NeedsPromptScores)
        {
            first++;
        }

        int count = end - first;
        if (count == 0
            || !space.Costs.IsMovingCheaper(count, sequence.ComputedCount - (first * blockSize))
            || !hostBlocks.TryAllocate(count, sequence.HostBlocks))
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            _moves.Add(new BlockSwap(sequence.Blocks[first + i], sequence.HostBlocks[i]));
        }

        _leaving.Add(sequence);
        sequence.FirstHostBlock = first;
        sequence.SwappedCount = sequence.ComputedCount;
        sequence.IsMovingOut = true;
        SequenceCount++;
        MoveOutCount++;
        return true;
    }

    /// <summary>
    /// Hands the copies of this turn's preemptions over with a plan. A plan without tokens is never run: then the sequences are
    /// computed again.
    /// </summary>
    public void HandOver(BatchPlan plan)
    {
        if (plan.TokenCount == 0)
        {
            foreach (Sequence sequence in _leaving)
            {
                Drop(sequence);
            }
        }
        else
        {
            plan.MovesOut.AddRange(_moves);
            plan.MovedOut.AddRange(_leaving);
        }

        _moves.Clear();
        _leaving.Clear();
    }

    /// <summary>The step that moved sequences out is done. What a failed step has copied is not to be trusted.</summary>
    public void OnStepDone(BatchPlan plan, bool failed)
    {
        foreach (Sequence sequence in plan.MovedOut)
        {
            sequence.IsMovingOut = false;
            if (failed && sequence.State == SequenceState.Swapped)
            {
                Drop(sequence);
            }
        }
    }

    /// <summary>Moves a sequence in that has its device blocks, except those that the prefix cache held.</summary>
    /// <param name="sequence">A swapped sequence.</param>
    /// <param name="hitCount">Leading blocks from the prefix cache.</param>
    /// <param name="plan">The step that makes the copies.</param>
    public void MoveIn(Sequence sequence, int hitCount, BatchPlan plan)
    {
        Debug.Assert(!sequence.IsMovingOut && hitCount >= sequence.FirstHostBlock, "A sequence without all of its blocks is moved in.");
        for (int i = Math.Max(0, hitCount - sequence.FirstHostBlock); i < sequence.HostBlocks.Count; i++)
        {
            plan.MovesIn.Add(new BlockSwap(sequence.Blocks[sequence.FirstHostBlock + i], sequence.HostBlocks[i]));
        }

        Forget(sequence);
    }

    /// <summary>Gives up what a sequence has in host memory: it is to be computed again.</summary>
    public void Drop(Sequence sequence)
    {
        Forget(sequence);
        sequence.State = SequenceState.Waiting;
    }

    /// <summary>Frees the host blocks of a sequence. Copies in flight may still use them: later ones follow in order.</summary>
    public void Forget(Sequence sequence)
    {
        space!.Blocks!.Release(sequence.HostBlocks);
        sequence.FirstHostBlock = 0;
        sequence.SwappedCount = 0;
        SequenceCount--;
    }

    /// <summary>Throws when the books of the host blocks do not balance with the waiting sequences.</summary>
    public void CheckInvariants(IEnumerable<Sequence> waiting)
    {
        int sequences = 0;
        int blocks = 0;
        foreach (Sequence sequence in waiting)
        {
            bool swapped = sequence.State == SequenceState.Swapped;
            int expected = swapped ? ((sequence.SwappedCount + blockSize - 1) / blockSize) - sequence.FirstHostBlock : 0;
            Scheduler.Expect(sequence.HostBlocks.Count == expected && (expected > 0) == swapped, "a swapped sequence lacks blocks");
            sequences += swapped ? 1 : 0;
            blocks += expected;
        }

        Scheduler.Expect(sequences == SequenceCount && blocks == UsedBlockCount, "swapped blocks were miscounted");
        Scheduler.Expect(_moves.Count == 0 && _leaving.Count == 0, "a copy was not handed over");
        space?.Blocks?.CheckConsistency();
    }
}
