using System.Collections.Concurrent;
using Sluice.Execution;
using Sluice.KvCache;
using Sluice.Requests;

namespace Sluice.Scheduling;

/// <summary>
/// The thread that decides. A turn: take commands, apply finished steps, schedule the next one. With asynchronous scheduling
/// the next step is planned and queued before one ends, so the device never waits for the loop; the ids that step samples are not
/// known yet and stay with the rank thread. It is planned as late as that allows, while logits are computed and sampled, so that
/// requests that arrive during a long step take part in the very next one. Sleeps without a timeout when there is nothing to do.
/// </summary>
internal sealed class EngineLoop : IDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(30);

    private readonly EngineLoopOptions _options;
    private readonly Scheduler _scheduler;
    private readonly OutputProcessor _processor;
    private readonly RankThread _rank;
    private readonly EngineMetrics _metrics;
    private readonly Heartbeat _heartbeat;
    private readonly StepClock _clock = new();
    private readonly TimeProvider _time;
    private readonly LoopInbox _inbox;
    private readonly Stack<EngineStep> _freeSteps = new();
    private readonly ConcurrentDictionary<string, ActiveRequest> _active = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private readonly int _pipelineDepth;
    private EngineStep? _newestStep;
    private int _stepsInFlight;
    private long _lastSweep;
    private volatile bool _stopping;
    private volatile bool _draining;
    private volatile string? _fault;

    /// <param name="options">Resolved options.</param>
    /// <param name="blocks">The pool of KV blocks; the loop's from now on.</param>
    /// <param name="cache">The prefix cache of the pool, or none.</param>
    /// <param name="runner">Owned from now on.</param>
    /// <param name="metrics">Where events are counted.</param>
    /// <param name="heartbeat">Told of each step.</param>
    /// <param name="time">Clock; its timestamps are those of Stopwatch.</param>
    /// <param name="swapSpace">Host memory for blocks of preempted sequences, or none.</param>
    public EngineLoop(
        EngineLoopOptions options, BlockPool blocks, PrefixCache? cache, IStepRunner runner, EngineMetrics metrics, Heartbeat heartbeat,
        TimeProvider time, SwapSpace? swapSpace = null)
    {
        _options = options;
        _metrics = metrics;
        _heartbeat = heartbeat;
        _time = time;
        _inbox = new LoopInbox(time);
        _scheduler = new Scheduler(options.Scheduler, blocks, cache, metrics, swapSpace);
        _processor = new OutputProcessor(options, _scheduler, cache, metrics, request => _active.TryRemove(request.Id, out _));
        _pipelineDepth = options.AsyncScheduling ? 2 : 1;
        SchedulerOptions limits = options.Scheduler;
        for (int i = 0; i < _pipelineDepth; i++)
        {
            _freeSteps.Push(new EngineStep(
                new BatchPlan(limits.MaxBatchedTokens, limits.MaxSequences, limits.BlockSize), new StepResult(limits.MaxSequences)));
        }

        _rank = new RankThread(runner, _inbox.Signal);
        _thread = new Thread(Run) { IsBackground = true, Name = "sluice engine loop" };
        _thread.Start();
    }

    /// <summary>Told of exceptions that failed a step, on the loop's thread.</summary>
    public Action<Exception>? FaultObserver { get; set; }

    /// <summary>The loop lives, takes its commands, and steps end in the time that they need.</summary>
    public bool IsHealthy => _fault is null && _thread.IsAlive && _heartbeat.IsBeating() && _inbox.OldestAge < CommandTimeout;

    /// <summary>What stopped the engine for good, or none.</summary>
    public string? Fault => _fault;

    /// <summary>Completes when a fault has stopped the engine for good and all requests have heard of it; else never.</summary>
    public Task Broken => _broken.Task;

    /// <summary>Requests that have not ended.</summary>
    public int ActiveCount => _active.Count;

    /// <summary>Takes a request that was checked.</summary>
    /// <exception cref="RequestValidationException">Its id is in use, or the engine takes no more requests.</exception>
    public RequestStream Submit(GenerationRequest request, int maxOutputCount)
    {
        if (_fault is string fault)
        {
            throw new RequestValidationException(fault, statusCode: 500);
        }

        if (_draining || _stopping)
        {
            throw new RequestValidationException("The engine is shutting down and takes no more requests.", statusCode: 503);
        }

        var active = new ActiveRequest(request, maxOutputCount, _time.GetTimestamp());
        active.Stream = new RequestStream(
            request.Id, request.Sampling.N, choice => _inbox.Post(new LoopCommand(active, IsAbort: true, choice)), _inbox.Signal);
        if (!_active.TryAdd(request.Id, active))
        {
            throw new RequestValidationException($"Request id {request.Id} already running.", "request_id");
        }

        _metrics.OnRequestArrived(request.Sampling.N, request.Sampling.MaxTokens);
        _inbox.Post(new LoopCommand(active, IsAbort: false));
        return active.Stream;
    }

    /// <summary>Ends a request; unknown ids are ignored, since it may have ended by itself.</summary>
    public void Abort(string requestId)
    {
        if (_active.TryGetValue(requestId, out ActiveRequest? request))
        {
            _inbox.Post(new LoopCommand(request, IsAbort: true));
        }
    }

    /// <summary>Refuses new requests, waits for the others, and aborts what is left when the time is over.</summary>
    public async Task DrainAsync(TimeSpan timeout)
    {
        _draining = true;
        long start = _time.GetTimestamp();
        while (!_active.IsEmpty && _time.GetElapsedTime(start) < timeout)
        {
            await Task.Delay(10).ConfigureAwait(false);
        }

        foreach (string id in _active.Keys)
        {
            Abort(id);
        }
    }

    /// <summary>Counts as of now.</summary>
    public EngineStats Snapshot() => new()
    {
        RunningCount = _scheduler.RunningCount,
        WaitingCount = _scheduler.WaitingCount + _processor.HeldCount,
        SwappedCount = _scheduler.Swapper.SequenceCount,
        ActiveRequestCount = _active.Count,
        KvBlocksTotal = _scheduler.Pool.TotalCount,
        KvBlocksUsed = _scheduler.Pool.UsedCount,
        SwapBlocksTotal = _scheduler.Swapper.TotalBlockCount,
        SwapBlocksUsed = _scheduler.Swapper.UsedBlockCount,
        PrefixQueries = _metrics.PrefixCacheQueries.Value,
        PrefixHits = _metrics.PrefixCacheHits.Value,
        Preemptions = _metrics.Preemptions.Value,
        SwapOuts = _scheduler.Swapper.MoveOutCount,
        PromptTokens = _metrics.PromptTokens.Value,
        CachedPromptTokens = _metrics.PromptTokensCached.Value,
        GenerationTokens = _metrics.GenerationTokens.Value,
        StepCount = _heartbeat.StepCount,
        StepSeconds = _clock.StepSeconds,
        StepGapSeconds = _clock.GapSeconds,
    };

    /// <summary>Aborts everything, then ends both threads and the runner.</summary>
    public void Dispose()
    {
        _stopping = true;
        _inbox.Signal();
        _thread.Join();
        _rank.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            try
            {
                Turn();
            }
            catch (Exception fault)
            {
                Break($"The engine loop stopped ({fault.GetType().Name}).", fault);
            }
        }

        EndAll(FinishReason.Abort, null);
    }

    private void Turn()
    {
        long now = _time.GetTimestamp();
        TakeCommands(now);
        while (_rank.TryTake(out EngineStep? done))
        {
            Complete(done, now);
        }

        if (_fault is null && IsTimeToPlan())
        {
            Launch(now);
        }

        Sweep(now);
        bool idle = _stepsInFlight == 0;
        if (idle && _fault is null)
        {
            _scheduler.CheckIdle();
        }

        // Nothing in flight and yet something active: all readers stand still, and their time runs.
        _inbox.Wait(idle && !_active.IsEmpty ? (int)SweepInterval.TotalMilliseconds : Timeout.Infinite);
    }

    private void TakeCommands(long now)
    {
        foreach (LoopCommand command in _inbox.Take())
        {
            if (command.IsAbort)
            {
                _processor.Finish(command.Request, command.ChoiceIndex, FinishReason.Abort, now);
                continue;
            }

            try
            {
                _processor.Admit(command.Request);
            }
            catch (Exception fault)
            {
                FaultObserver?.Invoke(fault);
                _processor.Refuse(command.Request, fault);
            }

            if (_fault is string broken)
            {
                _processor.Finish(command.Request, -1, FinishReason.Error, now, broken);
            }
        }
    }

    private void Complete(EngineStep step, long now)
    {
        _stepsInFlight--;
        _heartbeat.OnDone(step.Plan.TokenCount, _clock.OnDone(step));
        _metrics.OnStep(step.Plan.TokenCount);
        _scheduler.Swapper.OnStepDone(step.Plan, failed: step.Result.Fault is not null);
        Exception? fault = _fault is null ? step.Result.Fault : null;
        if (fault is not null && !step.Result.IsBackendBroken)
        {
            // Before the requests end: whoever sees one end finds the reason in the log.
            FaultObserver?.Invoke(fault);
        }

        _processor.Apply(step, now);
        _clock.OnApplied(_scheduler.RunningCount > 0);
        if (fault is not null && step.Result.IsBackendBroken)
        {
            Break("The engine stopped because its device failed.", fault);
        }

        step.Plan.Clear();
        _freeSteps.Push(step);
        if (_options.CheckEveryStep)
        {
            _scheduler.CheckInvariants();
        }
    }

    private bool IsTimeToPlan() => _stepsInFlight == 0 || (_stepsInFlight < _pipelineDepth && _newestStep!.IsForwarded);

    /// <summary>Plans a step and hands it over, if anything can run now.</summary>
    private void Launch(long now)
    {
        EngineStep step = _freeSteps.Peek();
        if (_scheduler.Schedule(step.Plan, _stepsInFlight > 0, now) != ScheduleOutcome.Scheduled)
        {
            return;
        }

        _freeSteps.Pop();
        step.IsForwarded = false;
        _newestStep = step;
        _stepsInFlight++;
        _heartbeat.OnHandedOver(step.Plan.TokenCount);
        _rank.Enqueue(step);
    }

    /// <summary>Once a second: ends choices whose reader took nothing for too long.</summary>
    private void Sweep(long now)
    {
        if (_active.IsEmpty || _time.GetElapsedTime(_lastSweep, now) < SweepInterval)
        {
            return;
        }

        _lastSweep = now;
        foreach (ActiveRequest request in _active.Values)
        {
            foreach (Sequence sequence in request.Choices)
            {
                if (!request.Stream.IsFull(sequence.ChoiceIndex))
                {
                    sequence.StalledSince = 0;
                }
                else if (sequence.StalledSince == 0)
                {
                    sequence.StalledSince = now;
                }
                else if (_time.GetElapsedTime(sequence.StalledSince, now) >= _options.ReaderTimeout)
                {
                    _processor.Finish(sequence, FinishReason.Abort, now, error: "The reader took no output for too long.");
                }
            }
        }
    }

    /// <summary>Stops the engine for good: what runs ends with an error, and so does all that still comes.</summary>
    private void Break(string message, Exception fault)
    {
        _fault = message;
        FaultObserver?.Invoke(fault);
        EndAll(FinishReason.Error, message);
        _broken.TrySetResult();
    }

    private void EndAll(FinishReason reason, string? error)
    {
        long now = _time.GetTimestamp();
        TakeCommands(now);
        foreach (ActiveRequest request in _active.Values)
        {
            try
            {
                _processor.Finish(request, -1, reason, now, error);
            }
            catch (Exception) when (_fault is not null)
            {
                // The books are broken already; the reader must hear of the end all the same.
                _processor.Refuse(request, reason, error);
            }
        }
    }
}
