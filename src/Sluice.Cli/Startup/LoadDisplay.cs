using System.Diagnostics;
using Spectre.Console;

namespace Sluice.Cli.Startup;

/// <summary>
/// Shows how far loading has come: a bar for a person who waits, a plain line every few seconds otherwise. Models that load
/// in a moment show nothing.
/// </summary>
internal sealed class LoadDisplay(LogLines log) : IProgress<LoadProgress>
{
    private const double GiB = 1024.0 * 1024 * 1024;
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);

    private readonly Stopwatch _sinceLine = Stopwatch.StartNew();
    private ProgressTask? _bar;

    /// <summary>Runs <paramref name="load"/>, with a bar when <paramref name="showBar"/>.</summary>
    public async Task<T> ShowAsync<T>(Func<IProgress<LoadProgress>, Task<T>> load, bool showBar)
    {
        if (!showBar)
        {
            return await load(this);
        }

        return await AnsiConsole.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                _bar = context.AddTask("Loading weights");
                return await load(this);
            });
    }

    public void Report(LoadProgress value)
    {
        if (_bar is { } bar)
        {
            bar.MaxValue = value.TotalBytes;
            bar.Value = value.LoadedBytes;
        }
        else if (_sinceLine.Elapsed >= LineInterval)
        {
            _sinceLine.Restart();
            log.Info($"Loading weights: {100.0 * value.LoadedBytes / value.TotalBytes:F0} % ({value.LoadedBytes / GiB:F1} of {value.TotalBytes / GiB:F1} GiB)");
        }
    }
}
