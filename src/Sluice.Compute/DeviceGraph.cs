namespace Sluice.Compute;

/// <summary>Operations that <see cref="IBackend.Capture"/> recorded.</summary>
public abstract class DeviceGraph : IDisposable
{
    /// <summary>Enqueues all recorded operations at once, in order with everything else.</summary>
    public abstract void Launch();

    /// <inheritdoc/>
    public abstract void Dispose();
}
