namespace Sluice.Scheduling;

/// <summary>What other threads ask of the loop.</summary>
/// <param name="Request">The request in question.</param>
/// <param name="IsAbort">End it, rather than begin it.</param>
/// <param name="ChoiceIndex">The choice to end; -1 for all.</param>
internal readonly record struct LoopCommand(ActiveRequest Request, bool IsAbort, int ChoiceIndex = -1);

/// <summary>Where the loop gets its commands, and what it sleeps on: a command, a finished step, or a reader that caught up wakes it.</summary>
internal sealed class LoopInbox(TimeProvider time)
{
    private readonly object _gate = new();
    private List<LoopCommand> _posted = [];
    private List<LoopCommand> _taken = [];
    private bool _signalled;
    private long _oldest;

    /// <summary>How long the oldest command has waited for the loop.</summary>
    public TimeSpan OldestAge
    {
        get
        {
            lock (_gate)
            {
                return _posted.Count == 0 ? TimeSpan.Zero : time.GetElapsedTime(_oldest);
            }
        }
    }

    public void Post(LoopCommand command)
    {
        lock (_gate)
        {
            if (_posted.Count == 0)
            {
                _oldest = time.GetTimestamp();
            }

            _posted.Add(command);
            SignalLocked();
        }
    }

    public void Signal()
    {
        lock (_gate)
        {
            SignalLocked();
        }
    }

    /// <summary>All commands since the last call, in order; valid until the next.</summary>
    public List<LoopCommand> Take()
    {
        lock (_gate)
        {
            _taken.Clear();
            (_posted, _taken) = (_taken, _posted);
            return _taken;
        }
    }

    /// <summary>Parks until a signal, or for some milliseconds (-1: as long as it takes). A signal since the last wait counts.</summary>
    public void Wait(int milliseconds)
    {
        lock (_gate)
        {
            if (!_signalled)
            {
                Monitor.Wait(_gate, milliseconds);
            }

            _signalled = false;
        }
    }

    private void SignalLocked()
    {
        if (!_signalled)
        {
            _signalled = true;
            Monitor.Pulse(_gate);
        }
    }
}
