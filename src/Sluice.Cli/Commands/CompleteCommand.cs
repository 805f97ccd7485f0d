using System.CommandLine;
using Sluice.Cli.Clients;
using Sluice.Cli.Flags;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice complete</c>: texts continued by a running server, or by a model in this process.</summary>
internal static class CompleteCommand
{
    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand("complete", "Continue texts with a running server, or with --model in this process.", FlagScope.Complete);
        command.SetAction((parsed, cancellation) => RunAsync(command.Values(parsed, console.Error), console, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        await using ITextSource source = await TextSources.OpenAsync(values, console, cancellation);
        var printer = new AnswerPrinter(console, values.Switch("stats") == true);
        int? maxTokens = values.Count("max-tokens");
        if (values.Text("quick") is { } prompt)
        {
            await printer.PrintAsync(source.CompleteAsync(prompt, maxTokens, cancellation));
            return CommandLine.Success;
        }

        await ClientLoop.RunAsync(
            console, source, "Please enter prompt to complete:", text => printer.PrintAsync(source.CompleteAsync(text, maxTokens, cancellation)));
        return CommandLine.Success;
    }
}
