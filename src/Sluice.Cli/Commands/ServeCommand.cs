using System.CommandLine;
using Sluice.Cli.Flags;
using Sluice.Cli.Startup;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice serve [MODEL]</c>: loads a model and serves it over the OpenAI API until SIGTERM or Ctrl+C.</summary>
internal static class ServeCommand
{
    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand(
            "serve",
            "Serve a model over the OpenAI API.",
            FlagScope.Serve,
            ("MODEL", "Folder of the model, or its name in the Hugging Face cache; the bundled storyteller when left out."));
        command.SetAction((parsed, cancellation) => RunAsync(command.Positional(parsed), command.Values(parsed, console.Error), console, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? positional, FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        ModelLocation model = ModelLocator.Find(
            positional ?? values.Text("model"), values.Text("revision") ?? "main", values.Text("download-dir") ?? console.Environment.HuggingFaceCache);
        EngineOptions options = EngineOptionsBinder.Bind(values, model.Folder);
        await console.Output.WriteLineAsync($"{model.Name}: {options.Model}".AsMemory(), cancellation);
        return CommandLine.Success;
    }
}
