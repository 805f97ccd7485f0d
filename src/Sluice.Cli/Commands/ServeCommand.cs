using System.CommandLine;
using Sluice.Cli.Flags;
using Sluice.Cli.Startup;
using Sluice.Server;

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
        ModelLocation model = EngineStarter.Locate(values, positional, console.Environment);
        ServerOptions options = ServerOptionsBinder.Bind(values, model.Name, console.Environment) with { Log = console.Output };
        var log = new LogLines(ServerOptionsBinder.IsQuiet(values, console.Environment) ? null : console.Output);
        if (model.IsBundled)
        {
            log.Info($"No model was named: serving the bundled one as '{options.ServedModelNames[0]}'. For your own: sluice serve MODEL_FOLDER");
        }

        await using LlmEngine engine = await EngineStarter.StartAsync(EngineOptionsBinder.Bind(values, model.Folder), model, log, console.IsTerminal, cancellation);
        await using SluiceServer server = await SluiceServer.StartAsync(options, engine, cancellation);
        await server.WaitForShutdownAsync(cancellation);
        return ExitCodeOf(engine, console.Error);
    }

    /// <summary>A supervisor starts a program again that ended by a fault, and only then.</summary>
    internal static int ExitCodeOf(LlmEngine engine, TextWriter errors)
    {
        if (engine.Fault is not string fault)
        {
            return CommandLine.Success;
        }

        errors.WriteLine($"error: {fault} The lines above say why; start the server again.");
        return CommandLine.OurFault;
    }
}
