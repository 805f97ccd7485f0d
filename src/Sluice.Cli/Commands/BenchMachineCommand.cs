using System.CommandLine;
using System.Text.Json;
using Sluice.Cli.Flags;
using Sluice.Compute.Cpu;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice bench machine</c>: the two limits of this machine that inference is held against.</summary>
internal static class BenchMachineCommand
{
    private const int StandardRounds = 5;

    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand("bench machine", "Measure this machine's memory read bandwidth and multiply-add peak.", FlagScope.Machine);
        command.SetAction(parsed => Run(command.Values(parsed, console.Error), console));
        return command;
    }

    private static int Run(FlagValues values, CommandConsole console)
    {
        int rounds = values.Count("rounds") ?? StandardRounds;
        using var measurement = new MachineMeasurement(values.Count("cpu-threads"));
        double readBytes = measurement.MeasureReadBandwidth(rounds);
        double operations = measurement.MeasureFmaPeak(rounds);
        if (values.Switch("json") == true)
        {
            using var stream = new MemoryStream();
            using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
            {
                writer.WriteStartObject();
                writer.WriteNumber("threads", measurement.Threads);
                writer.WriteString("vectors", MachineMeasurement.Vectors);
                writer.WriteNumber("read_bytes_per_second", Math.Round(readBytes));
                writer.WriteNumber("fma_operations_per_second", Math.Round(operations));
                writer.WriteEndObject();
            }

            console.Output.WriteLine(System.Text.Encoding.UTF8.GetString(stream.ToArray()));
            return CommandLine.Success;
        }

        console.Output.WriteLine($"Threads:                {measurement.Threads}");
        console.Output.WriteLine($"Vectors:                {MachineMeasurement.Vectors}");
        console.Output.WriteLine($"Memory read bandwidth:  {readBytes / 1e9:F2} GB/s");
        console.Output.WriteLine($"FMA peak (float32):     {operations / 1e9:F1} GFLOP/s");
        return CommandLine.Success;
    }
}
