using System.CommandLine;
using Sluice.Cli.Benchmarks;
using Sluice.Cli.Flags;
using Sluice.Cli.Startup;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice bench latency</c>: how long one batch takes from prompt to last token.</summary>
internal static class BenchLatencyCommand
{
    private static readonly int[] Percentiles = [10, 25, 50, 75, 90, 99];

    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand("bench latency", "Measure how long one batch of prompts takes.", FlagScope.Latency);
        command.SetAction((parsed, cancellation) => RunAsync(command.Values(parsed, console.Error), console, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        int inputLength = values.Count("input-len") ?? 32;
        int outputLength = values.Count("output-len") ?? 128;
        int batchSize = values.Count("batch-size") ?? 8;
        int warmups = values.Count("num-iters-warmup") ?? 10;
        int rounds = values.Count("num-iters") ?? 30;
        int choiceCount = values.Count("n") ?? 1;
        bool detokenize = values.Switch("disable-detokenize") != true;

        ModelLocation model = EngineStarter.Locate(values, positional: null, console.Environment);
        EngineOptions options = EngineOptionsBinder.Bind(values, model.Folder);
        // The same prompts run again and again: with the prefix cache on, only the first round would measure them.
        options = options with { EnablePrefixCaching = values.Switch("enable-prefix-caching") ?? false };
        await using LlmEngine engine = await EngineStarter.StartAsync(options, model, new LogLines(console.Error), console.IsTerminal, cancellation);

        var random = new Random((int)options.Seed);
        int[] vocabulary = RandomDataset.PlainTokens(engine);
        BenchmarkPrompt[] batch =
            [.. Enumerable.Range(0, batchSize).Select(_ => new BenchmarkPrompt(RandomDataset.RandomTokens(inputLength, vocabulary, random), outputLength))];

        console.Output.WriteLine("Warming up...");
        for (int round = 0; round < warmups; round++)
        {
            await BenchmarkRun.MeasureAsync(engine, batch, choiceCount, detokenize, null, cancellation);
        }

        double[] seconds = await RequestProgress.ShowAsync(console.IsTerminal, rounds, async done =>
        {
            double[] latencies = new double[rounds];
            for (int round = 0; round < rounds; round++)
            {
                latencies[round] = (await BenchmarkRun.MeasureAsync(engine, batch, choiceCount, detokenize, null, cancellation)).Elapsed.TotalSeconds;
                done?.Invoke();
            }

            return latencies;
        });

        console.Output.WriteLine($"Avg latency: {seconds.Average()} seconds");
        foreach (int percentile in Percentiles)
        {
            console.Output.WriteLine($"{percentile}% percentile latency: {Percentile(seconds, percentile)} seconds");
        }

        if (values.Text("output-json") is { } path)
        {
            WriteResult(path, seconds);
        }

        return CommandLine.Success;
    }

    private static void WriteResult(string path, double[] seconds) => ResultFile.Write(path, writer =>
    {
        writer.WriteNumber("avg_latency", seconds.Average());
        writer.WriteStartArray("latencies");
        foreach (double latency in seconds)
        {
            writer.WriteNumberValue(latency);
        }

        writer.WriteEndArray();
        writer.WriteStartObject("percentiles");
        foreach (int percentile in Percentiles)
        {
            writer.WriteNumber($"{percentile}", Percentile(seconds, percentile));
        }

        writer.WriteEndObject();
    });

    /// <summary>Between the two nearest ranks in proportion, as numpy does.</summary>
    internal static double Percentile(double[] values, double percentile)
    {
        double[] sorted = [.. values.Order()];
        double rank = percentile / 100 * (sorted.Length - 1);
        int below = (int)Math.Floor(rank);
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (rank - below));
    }
}
