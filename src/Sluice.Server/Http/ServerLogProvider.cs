using Microsoft.Extensions.Logging;

namespace Sluice.Server.Http;

/// <summary>Brings what Kestrel itself complains about into the server's log.</summary>
internal sealed class ServerLogProvider(ServerLog log) : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            log.Error(formatter(state, exception), exception);
        }
    }

    public void Dispose()
    {
        // The log belongs to the server.
    }
}
