using System.Globalization;
using System.Threading.Channels;

namespace Sluice.Server.Http;

/// <summary>
/// Log lines, written by one task: a terminal or pipe that blocks never holds up a request. When it stays blocked, lines are dropped and
/// counted.
/// </summary>
internal sealed class ServerLog : IAsyncDisposable
{
    private const int MaxLines = 4096;

    private readonly Channel<string> _lines = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MaxLines) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly TextWriter _writer;
    private readonly Task _pump;
    private int _droppedCount;

    public ServerLog(TextWriter writer)
    {
        _writer = writer;
        _pump = Task.Run(PumpAsync);
    }

    /// <summary>A line in the form of vLLM's own log.</summary>
    public void Info(string message) => Write("INFO", message);

    public void Warning(string message) => Write("WARNING", message);

    public void Error(string message, Exception? exception = null) =>
        Write("ERROR", exception is null ? message : $"{message}: {exception}");

    /// <summary>Only in Debug builds: things that happen all day, such as clients that leave.</summary>
    [System.Diagnostics.Conditional("DEBUG")]
    public void Debug(string message) => Write("DEBUG", message);

    /// <summary>A line as it is.</summary>
    public void Line(string line)
    {
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _droppedCount);
        }
    }

    /// <summary>Writes what is left, unless the writer blocks.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await Task.WhenAny(_pump, Task.Delay(TimeSpan.FromSeconds(2)));
    }

    private void Write(string level, string message) =>
        Line(string.Create(CultureInfo.InvariantCulture, $"{level} {DateTime.Now:MM-dd HH:mm:ss} {message}"));

    private async Task PumpAsync()
    {
        try
        {
            while (await _lines.Reader.WaitToReadAsync())
            {
                while (_lines.Reader.TryRead(out string? line))
                {
                    _writer.WriteLine(line);
                }

                int dropped = Interlocked.Exchange(ref _droppedCount, 0);
                if (dropped > 0)
                {
                    _writer.WriteLine($"WARNING {dropped} log lines were dropped: the reader of this log is too slow");
                }

                _writer.Flush();
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The terminal or pipe has gone. The server goes on without a log; lines are dropped from here on.
            _lines.Writer.TryComplete();
        }
    }
}
