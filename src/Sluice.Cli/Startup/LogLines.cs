namespace Sluice.Cli.Startup;

/// <summary>Lines of the start-up log, in the form of the server's own.</summary>
/// <param name="writer">Where they go; null for a quiet start.</param>
internal sealed class LogLines(TextWriter? writer)
{
    public void Info(string message) => Write("INFO", message);

    public void Warning(string message) => Write("WARNING", message);

    public void Error(string message) => Write("ERROR", message);

    private void Write(string level, string message)
    {
        writer?.WriteLine($"{level} {DateTime.Now:MM-dd HH:mm:ss} {message}");
        writer?.Flush();
    }
}
