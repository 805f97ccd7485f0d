using System.CommandLine;
using Sluice.Cli.Benchmarks;
using Sluice.Cli.Flags;
using Sluice.Cli.Startup;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice bench throughput</c>: all prompts at once; requests and tokens a second.</summary>
internal static class BenchThroughputCommand
{
    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand("bench throughput", "Measure requests and tokens a second with all prompts queued at once.", FlagScope.Throughput);
        command.SetAction((parsed, cancellation) => RunAsync(command.Values(parsed, console.Error), console, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        DatasetOptions dataset = DatasetOptions.Bind(values);
        ModelLocation model = EngineStarter.Locate(values, positional: null, console.Environment);
        var log = new LogLines(console.Error);
        await using LlmEngine engine = await EngineStarter.StartAsync(
            EngineOptionsBinder.Bind(values, model.Folder), model, log, console.IsTerminal, cancellation);

        int choiceCount = values.Count("n") ?? 1;
        bool detokenize = values.Switch("disable-detokenize") != true;
        IReadOnlyList<BenchmarkPrompt> prompts = Datasets.Create(dataset, engine);
        if (values.Count("num-warmups") is > 0 and { } warmups)
        {
            await BenchmarkRun.MeasureAsync(engine, [.. prompts.Take(warmups)], choiceCount, detokenize, null, cancellation);
        }

        BenchmarkRun run = await RequestProgress.ShowAsync(
            console.IsTerminal, prompts.Count, done => BenchmarkRun.MeasureAsync(engine, prompts, choiceCount, detokenize, done, cancellation));

        double seconds = run.Elapsed.TotalSeconds;
        long total = run.PromptTokenCount + run.OutputTokenCount;
        console.Output.WriteLine($"Throughput: {run.RequestCount / seconds:F2} requests/s, {total / seconds:F2} total tokens/s, {run.OutputTokenCount / seconds:F2} output tokens/s");
        console.Output.WriteLine($"Total num prompt tokens:  {run.PromptTokenCount}");
        console.Output.WriteLine($"Total num output tokens:  {run.OutputTokenCount}");
        log.Info($"The device was idle between steps for {100 * run.IdleShare:F2} % of the time");
        EngineStats stats = engine.Stats;
        if (stats.Preemptions > 0)
        {
            log.Info($"{stats.Preemptions} preemptions, {stats.SwapOuts} of them swapped to host memory");
        }

        if (values.Text("output-json") is { } path)
        {
            ResultFile.Write(path, writer =>
            {
                writer.WriteNumber("elapsed_time", seconds);
                writer.WriteNumber("num_requests", run.RequestCount);
                writer.WriteNumber("total_num_tokens", total);
                writer.WriteNumber("requests_per_second", run.RequestCount / seconds);
                writer.WriteNumber("tokens_per_second", total / seconds);
            });
        }

        return CommandLine.Success;
    }
}
