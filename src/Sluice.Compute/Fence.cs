namespace Sluice.Compute;

/// <summary>
/// A mark in the order of a backend's operations. Recorded by the thread that enqueues; waited for by any one thread. Until it is
/// recorded it counts as reached.
/// </summary>
public abstract class Fence : IDisposable
{
    /// <summary>Moves the mark behind all operations enqueued so far.</summary>
    public abstract void Record();

    /// <summary>True when all operations before the mark are done.</summary>
    public abstract bool IsReached { get; }

    /// <summary>Waits until all operations before the mark are done. A fault of the device that one of them met is thrown here.</summary>
    public abstract void Wait();

    /// <inheritdoc/>
    public abstract void Dispose();
}
