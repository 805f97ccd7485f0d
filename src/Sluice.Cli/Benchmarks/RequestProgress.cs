using Spectre.Console;

namespace Sluice.Cli.Benchmarks;

/// <summary>A bar of finished requests for a person who waits; nothing otherwise.</summary>
internal static class RequestProgress
{
    public static Task<T> ShowAsync<T>(bool isTerminal, int count, Func<Action?, Task<T>> run) =>
        !isTerminal
            ? run(null)
            : AnsiConsole.Progress().AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(context =>
                {
                    ProgressTask bar = context.AddTask("Requests", maxValue: count);
                    return run(() => bar.Increment(1));
                });
}
