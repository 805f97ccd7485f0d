using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sluice.Server.Http;

namespace Sluice.Server;

/// <summary>
/// The HTTP server in front of an engine. Whoever starts it owns the engine and disposes it after the server.
/// </summary>
public sealed class SluiceServer : IAsyncDisposable
{
    /// <summary>What requests get to end in after they were told to.</summary>
    private static readonly TimeSpan AbortGrace = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan DrainPoll = TimeSpan.FromMilliseconds(10);

    private readonly WebApplication _app;
    private readonly ServerState _state;
    private readonly CancellationTokenSource _stopStats = new();
    private readonly Task _stats;
    private bool _isStopped;

    private SluiceServer(WebApplication app, ServerState state)
    {
        _app = app;
        _state = state;
        Addresses = [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];
        _stats = state.Options.DisableLogStats
            ? Task.CompletedTask
            : StatsLine.RunAsync(state.Engine, state.Options.LogStatsFormat, state.Options.LogStatsInterval, state.Log, _stopStats.Token);
    }

    /// <summary>Where the server listens, such as <c>http://127.0.0.1:8000</c>; the port is the one that was taken.</summary>
    public IReadOnlyList<string> Addresses { get; }

    /// <summary>For tests: every route, with what guards it.</summary>
    internal EndpointDataSource Routes => _app.Services.GetRequiredService<EndpointDataSource>();

    /// <summary>For tests: what the server counts.</summary>
    internal ServerState State => _state;

    /// <summary>Starts to listen.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="engine">Loaded; used until the server is disposed.</param>
    /// <param name="cancellation">Gives up starting.</param>
    /// <exception cref="UserErrorException">The address is taken or does not exist.</exception>
    public static async Task<SluiceServer> StartAsync(ServerOptions options, LlmEngine engine, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(engine);
        ServerState state = new(options, engine);
        WebApplication? app = null;
        try
        {
            app = ServerPipeline.Build(state);
            await app.StartAsync(cancellation);
            SluiceServer server = new(app, state);
            foreach (string address in server.Addresses)
            {
                // As users write it; Kestrel's name for all addresses is that of IPv6.
                state.Log.Info($"Starting Sluice server on {address.Replace("[::]", "0.0.0.0", StringComparison.Ordinal)}");
            }

            // The very text that scripts wait for.
            state.Log.Line("INFO:     Application startup complete.");
            return server;
        }
        catch (Exception exception)
        {
            if (app is not null)
            {
                await app.DisposeAsync();
            }

            await state.DisposeAsync();
            if (exception is AddressInUseException or SocketException || exception is IOException { InnerException: AddressInUseException or SocketException })
            {
                throw new UserErrorException(ListenAddress.Describe(options, exception));
            }

            throw;
        }
    }

    /// <summary>
    /// Waits for SIGTERM, SIGINT, <paramref name="cancellation"/> or a fault that stops the engine for good, then stops: new requests get
    /// 503 at once, running ones may go on for the shutdown timeout and are ended after it. A second signal ends them now. After a
    /// fault of the engine (<see cref="LlmEngine.Fault"/>) they only get to send their error.
    /// </summary>
    public async Task WaitForShutdownAsync(CancellationToken cancellation = default)
    {
        TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnSignal(PosixSignalContext context)
        {
            // Not the runtime's way of going down, which would not wait.
            context.Cancel = true;
            if (!stop.TrySetResult())
            {
                _state.Shutdown.Abort();
            }
        }

        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using CancellationTokenRegistration cancelled = cancellation.Register(() => stop.TrySetResult());
        await Task.WhenAny(stop.Task, _state.Engine.Broken);
        await StopAsync(_state.Engine.Fault is null ? _state.Options.ShutdownTimeout : AbortGrace);
    }

    /// <summary>Refuses new requests, lets running ones go on for a while, and ends what is left.</summary>
    /// <param name="timeout">How long running requests may go on; zero ends them at once.</param>
    public async Task StopAsync(TimeSpan timeout)
    {
        if (_isStopped)
        {
            return;
        }

        _isStopped = true;
        _state.Shutdown.Drain();
        if (_state.RequestCount > 0)
        {
            _state.Log.Info($"Shutting down: {_state.RequestCount} requests may finish within {timeout.TotalSeconds:0} s");
            await WaitForRequestsAsync(timeout, _state.Shutdown.AbortRequests);
        }

        if (_state.RequestCount > 0)
        {
            _state.Log.Warning($"Shutting down: {_state.RequestCount} requests are aborted");
            _state.Shutdown.Abort();
            await WaitForRequestsAsync(AbortGrace, CancellationToken.None);
        }

        using CancellationTokenSource giveUp = new(AbortGrace);
        await _app.StopAsync(giveUp.Token);
        _state.Log.Line("INFO:     Application shutdown complete.");
    }

    /// <summary>Ends running requests at once and stops listening.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        await _stopStats.CancelAsync();
        await _stats;
        await _app.DisposeAsync();
        await _state.DisposeAsync();
        _stopStats.Dispose();
    }

    private async Task WaitForRequestsAsync(TimeSpan timeout, CancellationToken hurry)
    {
        long started = Environment.TickCount64;
        while (_state.RequestCount > 0 && Environment.TickCount64 - started < timeout.TotalMilliseconds && !hurry.IsCancellationRequested)
        {
            await Task.Delay(DrainPoll, CancellationToken.None);
        }
    }
}
