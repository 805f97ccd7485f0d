using System.Diagnostics;

namespace Sluice.Execution;

/// <summary>
/// The thread that owns the device: the backend, the model, the cache and the sampler are touched by nobody else. Runs
/// steps in the order in which they were handed over, so a block that a later step reuses is never read by an earlier one.
/// Parks when it has nothing to do.
/// </summary>
internal sealed class RankThread : IDisposable
{
    private readonly IStepRunner _runner;
    private readonly Action _progressed;
    private readonly Action _forwarded;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private readonly Queue<EngineStep> _queued = new(2);
    private readonly Queue<EngineStep> _done = new(2);
    private EngineStep? _running;
    private bool _stopping;

    /// <param name="runner">Owned from now on.</param>
    /// <param name="progressed">Called on the rank thread when a step is forwarded and when it is done; must not block.</param>
    public RankThread(IStepRunner runner, Action progressed)
    {
        _runner = runner;
        _progressed = progressed;
        _forwarded = OnForwarded;
        _thread = new Thread(Run) { IsBackground = true, Name = "sluice rank 0" };
        _thread.Start();
    }

    /// <summary>Hands a step over.</summary>
    public void Enqueue(EngineStep step)
    {
        lock (_gate)
        {
            _queued.Enqueue(step);
            Monitor.Pulse(_gate);
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

    /// <summary>Waits for the step that runs, drops the queued ones and disposes the runner.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }

        _thread.Join();
    }

    private void Run()
    {
        while (Next() is EngineStep step)
        {
            Execute(step);
            lock (_gate)
            {
                _done.Enqueue(step);
            }

            _progressed();
        }

        _runner.Dispose();
    }

    private EngineStep? Next()
    {
        lock (_gate)
        {
            while (_queued.Count == 0 && !_stopping)
            {
                Monitor.Wait(_gate);
            }

            return _stopping ? null : _queued.Dequeue();
        }
    }

    private void Execute(EngineStep step)
    {
        long start = Stopwatch.GetTimestamp();
        step.Result.Clear(step.Plan.SequenceCount);
        _running = step;
        try
        {
            _runner.Run(step.Plan, step.Result, _forwarded);
        }
        catch (Exception fault)
        {
            step.Result.Fault = fault;
            step.Result.IsBackendBroken = !Survives();
        }

        step.Result.Elapsed = Stopwatch.GetElapsedTime(start);
    }

    private void OnForwarded()
    {
        _running!.IsForwarded = true;
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
