using System.CommandLine;
using Sluice.Cli.Flags;
using Sluice.Cli.Startup;
using Sluice.Execution;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice warm [MODEL]</c>: compiles a model's GPU kernels ahead of its first start, without a GPU.</summary>
internal static class WarmCommand
{
    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand(
            "warm",
            "Compile a model's GPU kernels ahead of its first start.",
            FlagScope.Warm,
            ("MODEL", "Folder with the model's config.json, or its name in the Hugging Face cache; the bundled storyteller when left out."));
        command.SetAction((parsed, cancellation) => RunAsync(command.Positional(parsed), command.Values(parsed, console.Error), console, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? positional, FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        ModelLocation model = EngineStarter.Locate(values, positional, console.Environment);
        int[] chips = Chips(values.Text("arch"));
        EngineOptions options = EngineOptionsBinder.Bind(values, model.Folder);
        KernelWarmUpReport report = await Task.Run(() => KernelWarmUp.Run(options, chips, cancellation), cancellation);
        string names = string.Join(", ", report.ComputeCapabilities.Select(chip => $"{chip / 10}.{chip % 10}"));
        console.Output.WriteLine(
            $"{report.CompiledCount} kernels of {model.Name} compiled for compute capability {names} with NVRTC {report.CompilerVersion}, "
            + $"{report.CachedCount} were there already; {report.Duration.TotalSeconds:F1} s.");
        console.Output.WriteLine($"Cache: {report.Folder}");
        return CommandLine.Success;
    }

    /// <summary><c>80,90</c>, <c>8.0,9.0</c> or <c>sm_80,sm_90a</c>.</summary>
    internal static int[] Chips(string? text)
    {
        var chips = new SortedSet<int>();
        foreach (string word in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string digits = word.Replace("sm_", "", StringComparison.OrdinalIgnoreCase).Replace(".", "", StringComparison.Ordinal).TrimEnd('a');
            if (!int.TryParse(digits, out int chip) || chip is < 80 or > 999)
            {
                throw new UserErrorException($"--arch {word}: give compute capabilities from 8.0 on, such as 80, 86, 89 or 90, separated by commas.");
            }

            chips.Add(chip);
        }

        return [.. chips];
    }
}
