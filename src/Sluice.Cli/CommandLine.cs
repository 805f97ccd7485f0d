using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Sluice.Cli.Commands;
using Sluice.Cli.Flags;
using Sluice.Requests;

namespace Sluice.Cli;

/// <summary>From the words of a command line to a command that runs, and its exit code.</summary>
internal static class CommandLine
{
    public const int Success = 0;
    public const int OurFault = 1;
    public const int UsersMistake = 2;

    // What a shell reports for a program that Ctrl+C ended.
    private const int Interrupted = 130;

    /// <param name="arguments">The words after the program's name.</param>
    /// <param name="console">Where answers and errors go.</param>
    /// <param name="cancellation">Ends the command.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, CommandConsole console, CancellationToken cancellation)
    {
        try
        {
            return await ParseAndRunAsync(arguments, console, cancellation);
        }
        catch (Exception mistake) when (mistake is UserErrorException or RequestValidationException)
        {
            await console.Error.WriteLineAsync("error: " + mistake.Message);
            return UsersMistake;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return Interrupted;
        }
        catch (Exception fault)
        {
            await console.Error.WriteLineAsync($"internal error: {fault.Message} This is a fault of Sluice; please report it with the lines below.{Environment.NewLine}{fault}");
            return OurFault;
        }
    }

    private static async Task<int> ParseAndRunAsync(IReadOnlyList<string> arguments, CommandConsole console, CancellationToken cancellation)
    {
        RootCommand root = CreateRoot(console);
        (FlagCommand? command, int wordCount) = FindCommand(root, arguments);
        IReadOnlyList<string> tokens = arguments;
        if (command is not null)
        {
            NormalizedArguments normalized = ArgumentNormalizer.Normalize(command.Scope, [.. arguments.Skip(wordCount)]);
            if (normalized.HelpQuery is { } query)
            {
                FlagHelp.WriteMatches(command, query, console.Output);
                return Success;
            }

            tokens = [.. arguments.Take(wordCount), .. normalized.Tokens];
        }

        ParseResult parsed = root.Parse(tokens, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        ParseErrors.ThrowIfAny(parsed, command, arguments);
        return await parsed.InvokeAsync(
            new InvocationConfiguration
            {
                Output = console.Output,
                Error = console.Error,
                EnableDefaultExceptionHandler = false,
                // The commands end themselves: `serve` drains its requests first.
                ProcessTerminationTimeout = null,
            },
            cancellation);
    }

    internal static RootCommand CreateRoot(CommandConsole console)
    {
        var bench = new Command("bench", "Measure the engine or the machine.")
        {
            BenchThroughputCommand.Create(console),
            BenchLatencyCommand.Create(console),
            BenchMachineCommand.Create(console),
        };
        var root = new RootCommand("Sluice serves language models over the OpenAI API. `sluice serve` starts with the bundled one.")
        {
            ServeCommand.Create(console),
            ChatCommand.Create(console),
            CompleteCommand.Create(console),
            WarmCommand.Create(console),
            bench,
        };
        // A command that only groups others shows what they are.
        foreach (Command group in new[] { root, bench })
        {
            group.SetAction(parsed => new HelpAction().Invoke(parsed));
        }

        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction standard })
            {
                option.Action = new FlagHelpAction(standard);
            }
            else if (option is VersionOption version)
            {
                version.Aliases.Add("-v");
                version.Action = new VersionAction(console);
            }
        }

        return root;
    }

    private static (FlagCommand? Command, int WordCount) FindCommand(RootCommand root, IReadOnlyList<string> arguments)
    {
        Command current = root;
        int count = 0;
        while (count < arguments.Count && current.Subcommands.FirstOrDefault(child => child.Name == arguments[count]) is { } next)
        {
            current = next;
            count++;
        }

        return (current as FlagCommand, count);
    }

    private sealed class VersionAction(CommandConsole console) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            console.Output.WriteLine("sluice " + ProgramVersion.Text);
            return Success;
        }
    }
}
