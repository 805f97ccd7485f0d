namespace Sluice.Server.Http;

/// <summary>How far the server is in going down: running, draining (no new requests), aborting (running ones end).</summary>
internal sealed class ShutdownState : IDisposable
{
    public const string Message = "The server is shutting down";

    private readonly CancellationTokenSource _abort = new();
    private volatile bool _isDraining;

    /// <summary>New requests are refused.</summary>
    public bool IsDraining => _isDraining;

    /// <summary>Cancelled when running requests have to end.</summary>
    public CancellationToken AbortRequests => _abort.Token;

    public void Drain() => _isDraining = true;

    public void Abort()
    {
        _isDraining = true;
        _abort.Cancel();
    }

    public void Dispose() => _abort.Dispose();
}
