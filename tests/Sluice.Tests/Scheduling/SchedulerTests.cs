using Sluice.KvCache;
using Sluice.Requests;
using Sluice.Scheduling;

namespace Sluice.Tests.Scheduling;

/// <summary>The decisions of single steps. What runs is told by the plan's items: (prompt's first token, tokens).</summary>
public sealed class SchedulerTests : IDisposable
{
    private const int BlockSize = 4;
    private readonly EngineMetrics _metrics = new(4096);
    private readonly BatchPlan _plan = new(64, 8, BlockSize);
    private long _order;

    public void Dispose() => _metrics.Dispose();

    private Scheduler NewScheduler(int blocks = 64, int tokens = 16, int sequences = 8, bool chunked = true, int threshold = 0) => new(
        new SchedulerOptions
        {
            MaxBatchedTokens = tokens,
            MaxSequences = sequences,
            BlockSize = BlockSize,
            ChunkedPrefill = chunked,
            LongPrefillThreshold = threshold,
        },
        new BlockPool(blocks, null), null, _metrics);

    private Sequence NewSequence(int name, int promptLength, int priority = 0)
    {
        int[] prompt = new int[promptLength];
        prompt[0] = name;
        var request = new ActiveRequest(
            new GenerationRequest { Id = $"{name}", PromptTokenIds = prompt, Priority = priority }, 1000, 0)
        {
            Stream = new RequestStream($"{name}", 1, _ => { }, () => { }),
        };
        return new Sequence(request, 0, _order++, 0);
    }

    private Sequence Add(Scheduler scheduler, int name, int promptLength, int priority = 0)
    {
        Sequence sequence = NewSequence(name, promptLength, priority);
        scheduler.Add(sequence);
        return sequence;
    }

    /// <summary>Schedules a step and applies it as if every sampled token were 5.</summary>
    private (int Name, int Tokens)[] Step(Scheduler scheduler)
    {
        scheduler.Schedule(_plan, stepInFlight: false, now: 1);
        var items = new (int, int)[_plan.SequenceCount];
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = (_plan.Sequences[i].Prompt[0], _plan.TokenCountOf(i));
            scheduler.OnComputed(_plan.Sequences[i], _plan.TokenCountOf(i));
            if (_plan.SampleItems.AsSpan(0, _plan.SampleCount).Contains(i))
            {
                _plan.Sequences[i].PendingCount--;
                _plan.Sequences[i].Append(5);
            }
        }

        _plan.Clear();
        scheduler.CheckInvariants();
        return items;
    }

    [Fact]
    public void Schedule_MixedBatch_RunningFirstThenWaitingWithinTheBudget()
    {
        Scheduler scheduler = NewScheduler();
        Add(scheduler, 1, 5);
        Assert.Equal([(1, 5)], Step(scheduler));
        Add(scheduler, 2, 30);
        Add(scheduler, 3, 4);
        Assert.Equal([(1, 1), (2, 15)], Step(scheduler));
        Assert.Equal([(1, 1), (2, 15)], Step(scheduler));
        Assert.Equal([(1, 1), (2, 1), (3, 4)], Step(scheduler));
    }

    [Fact]
    public void Schedule_WithoutChunkedPrefill_WaitsForRoomForTheWholePrompt()
    {
        Scheduler scheduler = NewScheduler(chunked: false);
        Add(scheduler, 1, 10);
        Add(scheduler, 2, 10);
        Assert.Equal([(1, 10)], Step(scheduler));
        Assert.Equal([(1, 1), (2, 10)], Step(scheduler));
    }

    [Fact]
    public void Schedule_LongPrefillThreshold_CapsOnePromptAndLetsOthersIn()
    {
        Scheduler scheduler = NewScheduler(threshold: 6);
        Add(scheduler, 1, 20);
        Add(scheduler, 2, 20);
        Add(scheduler, 3, 20);
        Assert.Equal([(1, 6), (2, 6), (3, 4)], Step(scheduler));
    }

    [Fact]
    public void Schedule_MaxSequences_HoldsTheRestBack()
    {
        Scheduler scheduler = NewScheduler(sequences: 2);
        Sequence first = Add(scheduler, 1, 2);
        Add(scheduler, 2, 2);
        Add(scheduler, 3, 2);
        Assert.Equal([(1, 2), (2, 2)], Step(scheduler));
        scheduler.Finish(first);
        Assert.Equal([(2, 1), (3, 2)], Step(scheduler));
        Assert.Equal(0, scheduler.WaitingCount);
    }

    [Fact]
    public void Schedule_Priorities_LowerGoesFirstThenEarlier()
    {
        Scheduler scheduler = NewScheduler();
        Add(scheduler, 1, 8, priority: 3);
        Add(scheduler, 2, 8, priority: -1);
        Add(scheduler, 3, 8, priority: 3);
        Add(scheduler, 4, 8, priority: 0);
        Assert.Equal([(2, 8), (4, 8)], Step(scheduler));
        Assert.Equal([(2, 1), (4, 1), (1, 8), (3, 6)], Step(scheduler));
    }

    [Fact]
    public void Schedule_OutOfBlocks_PreemptsTheYoungestOfTheLowestPriority()
    {
        // Four sequences of one full block each; the fifth block goes to the first that needs one.
        Scheduler scheduler = NewScheduler(blocks: 5);
        Add(scheduler, 1, 4, priority: 1);
        Add(scheduler, 2, 4);
        Add(scheduler, 3, 4, priority: 1);
        Sequence urgent = Add(scheduler, 4, 4);
        Step(scheduler);
        Assert.Equal([(2, 1), (4, 1)], Step(scheduler));
        Assert.Equal((2, 2, 2L), (scheduler.RunningCount, scheduler.WaitingCount, _metrics.Preemptions.Value));

        // What was preempted stands at the head of the waiting again, with what it had generated.
        Add(scheduler, 5, 4, priority: 1);
        scheduler.Finish(urgent);
        Assert.Equal([(2, 1), (1, 5)], Step(scheduler));
    }

    [Fact]
    public void Schedule_OutOfBlocksWithAStepInFlight_WaitsInsteadOfPreempting()
    {
        Scheduler scheduler = NewScheduler(blocks: 2);
        Add(scheduler, 1, 4);
        Add(scheduler, 2, 4);
        Step(scheduler);
        Assert.Equal(ScheduleOutcome.AwaitStepInFlight, scheduler.Schedule(_plan, stepInFlight: true, 1));
        Assert.Equal(2, scheduler.RunningCount);
        Assert.Equal([(1, 1)], Step(scheduler));
        Assert.Equal(1, _metrics.Preemptions.Value);
    }

    [Fact]
    public void Schedule_PromptLargerThanFreeBlocks_WaitsAndBlocksTheQueue()
    {
        Scheduler scheduler = NewScheduler(blocks: 4);
        Sequence first = Add(scheduler, 1, 8);
        Add(scheduler, 2, 12);
        Add(scheduler, 3, 1);
        Assert.Equal([(1, 8)], Step(scheduler));
        Assert.Equal([(1, 1)], Step(scheduler));
        scheduler.Finish(first);
        Assert.Equal([(2, 12), (3, 1)], Step(scheduler));
    }

    [Fact]
    public void Schedule_TokenNotKnownYet_IsPlannedByItsSlot()
    {
        Scheduler scheduler = NewScheduler();
        Sequence sequence = Add(scheduler, 1, 3);
        scheduler.Schedule(_plan, stepInFlight: false, 1);
        var next = new BatchPlan(64, 8, BlockSize);
        Assert.Equal(ScheduleOutcome.Scheduled, scheduler.Schedule(next, stepInFlight: true, 1));
        Assert.Equal(-1 - sequence.Slot, next.TokenIds[0]);
        Assert.Equal((3, 4), (next.Positions[0], next.ContextLengths[0]));
        Assert.Equal(2, sequence.PendingCount);
    }

    [Fact]
    public void Schedule_LastTokenPending_PlansNothingBeyondTheLimit()
    {
        Scheduler scheduler = NewScheduler();
        var request = new ActiveRequest(new GenerationRequest { Id = "1", PromptTokenIds = [1, 2] }, maxOutputCount: 1, arrived: 0)
        {
            Stream = new RequestStream("1", 1, _ => { }, () => { }),
        };
        scheduler.Add(new Sequence(request, 0, 0, 0));
        Assert.Equal(ScheduleOutcome.Scheduled, scheduler.Schedule(_plan, stepInFlight: false, 1));
        Assert.Equal(ScheduleOutcome.NothingToRun, scheduler.Schedule(new BatchPlan(64, 8, BlockSize), stepInFlight: true, 1));
    }
}
