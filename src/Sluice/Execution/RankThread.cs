using System.Diagnostics;

namespace Sluice.Execution;

/// <summary>
/// The thread that owns the device: the backend, the model, the cache and the sampler are touched by nobody else. Launches
/// steps in the order in which they were handed over, so a block that a later step reuses is never read by an earlier one. A step is
/// launched as soon as it comes, even while another runs; a second thread waits for the device and reads the results, unless
/// they are there when the launch returns. Steps are done in order. Parks when it has nothing to do.
/// </summary>
internal sealed class RankThread : IDisposable
{
    // A device that hangs must not keep the process from ending.
    private static readonly TimeSpan LongestDispose = TimeSpan.FromSeconds(10);

    private readonly IStepRunner _runner;
    private readonly Action _progressed;
    private readonly Action _forwarded;
    private readonly TimeSpan _disposeTimeout;
    private readonly Thread _rank;
    private readonly Thread _results;
    private readonly object _gate = new();
    private readonly Queue<EngineStep> _queued = new(2);
    private readonly Queue<EngineStep> _launched = new(2);
    private readonly Queue<EngineStep> _done = new(2);
    private EngineStep? _launching;
    private int _unfinishedCount; // launched and not done
    private bool _isProbeWanted;
    private bool _survived;
    private bool _stopping;
    private bool _rankEnded;

    /// <param name="runner">Owned from now on.</param>
    /// <param name="progressed">Called when it is time to plan the next step and when one is done, on either thread; must not block.</param>
    /// <param name="disposeTimeout">How long <see cref="Dispose"/> waits for the device; 10 seconds unless given.</param>
    public RankThread(IStepRunner runner, Action progressed, TimeSpan? disposeTimeout = null)
    {
        _disposeTimeout = disposeTimeout ?? LongestDispose;
        _runner = runner;
        _progressed = progressed;
        _forwarded = OnForwarded;
        _rank = new Thread(RunRank) { IsBackground = true, Name = "sluice rank 0" };
        _results = new Thread(RunResults) { IsBackground = true, Name = "sluice results 0" };
        _rank.Start();
        _results.Start();
    }

    /// <summary>Hands a step over.</summary>
    public void Enqueue(EngineStep step)
    {
        lock (_gate)
        {
            _queued.Enqueue(step);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The oldest step that is done.</summary>
    public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out EngineStep? step)
    {
        lock (_gate)
        {
            return _done.TryDequeue(out step);
        }
    }

    /// <summary>
    /// Waits for the steps that run, drops the queued ones and disposes the runner. A device that hangs is left behind after a while.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        _rank.Join(_disposeTimeout);
    }

    private void RunRank()
    {
        while (NextQueued() is EngineStep step)
        {
            Launch(step);
        }

        AwaitFinished();
        lock (_gate)
        {
            _rankEnded = true;
            Monitor.PulseAll(_gate);
        }

        _results.Join();
        try
        {
            _runner.Dispose();
        }
        catch (Exception)
        {
            // A broken device may refuse even that; its memory ends with the process.
        }
    }

    private void RunResults()
    {
        while (NextLaunched() is EngineStep step)
        {
            Finish(step, isRankThread: false);
        }
    }

    private EngineStep? NextQueued()
    {
        while (true)
        {
            lock (_gate)
            {
                while (_queued.Count == 0 && !_stopping && !_isProbeWanted)
                {
                    Monitor.Wait(_gate);
                }

                if (!_isProbeWanted)
                {
                    return _stopping ? null : _queued.Dequeue();
                }
            }

            AnswerProbe();
        }
    }

    private EngineStep? NextLaunched()
    {
        lock (_gate)
        {
            while (_launched.Count == 0 && !_rankEnded)
            {
                Monitor.Wait(_gate);
            }

            return _launched.TryDequeue(out EngineStep? step) ? step : null;
        }
    }

    private void Launch(EngineStep step)
    {
        step.LaunchedAt = Stopwatch.GetTimestamp();
        step.Result.Clear(step.Plan.SequenceCount);
        _launching = step;
        bool isDone;
        try
        {
            isDone = _runner.Launch(step.Plan, step.Result, _forwarded);
        }
        catch (Exception fault)
        {
            AwaitFinished();
            step.Result.Fault = fault;
            step.Result.IsBackendBroken = !Survives();
            lock (_gate)
            {
                _unfinishedCount++;
            }

            Complete(step);
            return;
        }

        lock (_gate)
        {
            isDone &= _unfinishedCount == 0;
            _unfinishedCount++;
            if (!isDone)
            {
                _launched.Enqueue(step);
                Monitor.PulseAll(_gate);
            }
        }

        if (isDone)
        {
            Finish(step, isRankThread: true);
        }
    }

    private void Finish(EngineStep step, bool isRankThread)
    {
        try
        {
            _runner.Finish(step.Plan, step.Result);
        }
        catch (Exception fault)
        {
            step.Result.Fault = fault;
            step.Result.IsBackendBroken = isRankThread ? !Survives() : !AskRank();
        }

        Complete(step);
    }

    private void Complete(EngineStep step)
    {
        step.FinishedAt = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            _unfinishedCount--;
            _done.Enqueue(step);
            Monitor.PulseAll(_gate);
        }

        _progressed();
    }

    /// <summary>Rank thread: waits until no step is launched. The thread that finishes them may ask for a probe meanwhile.</summary>
    private void AwaitFinished()
    {
        while (true)
        {
            lock (_gate)
            {
                while (_unfinishedCount > 0 && !_isProbeWanted)
                {
                    Monitor.Wait(_gate);
                }

                if (!_isProbeWanted)
                {
                    return;
                }
            }

            AnswerProbe();
        }
    }

    private void AnswerProbe()
    {
        bool survived = Survives();
        lock (_gate)
        {
            _survived = survived;
            _isProbeWanted = false;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Results thread: lets the rank thread, which alone may use the device, find out whether it survived.</summary>
    private bool AskRank()
    {
        lock (_gate)
        {
            _isProbeWanted = true;
            Monitor.PulseAll(_gate);
            while (_isProbeWanted)
            {
                Monitor.Wait(_gate);
            }

            return _survived;
        }
    }

    private void OnForwarded()
    {
        _launching!.IsForwarded = true;
        _progressed();
    }

    private bool Survives()
    {
        try
        {
            _runner.Probe();
            return true;
        }
        catch (Exception)
        {
            return false;
        }
    }
}
