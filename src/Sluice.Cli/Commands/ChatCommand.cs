using System.CommandLine;
using Sluice.Cli.Clients;
using Sluice.Cli.Flags;

namespace Sluice.Cli.Commands;

/// <summary><c>sluice chat</c>: a conversation with a running server, or with a model in this process.</summary>
internal static class ChatCommand
{
    public static Command Create(CommandConsole console)
    {
        var command = new FlagCommand("chat", "Chat with a running server, or with --model in this process.", FlagScope.Chat);
        command.SetAction((parsed, cancellation) => RunAsync(command.Values(parsed, console.Error), console, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(FlagValues values, CommandConsole console, CancellationToken cancellation)
    {
        await using ITextSource source = await TextSources.OpenAsync(values, console, cancellation);
        var printer = new AnswerPrinter(console, values.Switch("stats") == true);
        int? maxTokens = values.Count("max-tokens");
        var turns = new List<ChatTurn>();
        if (values.Text("system-prompt") is { } systemPrompt)
        {
            turns.Add(new ChatTurn("system", systemPrompt));
        }

        if (values.Text("quick") is { } message)
        {
            await printer.PrintAsync(source.ChatAsync([.. turns, new ChatTurn("user", message)], maxTokens, cancellation));
            return CommandLine.Success;
        }

        await ClientLoop.RunAsync(console, source, "Please enter a message for the chat model:", async text =>
        {
            turns.Add(new ChatTurn("user", text));
            try
            {
                turns.Add(new ChatTurn("assistant", await printer.PrintAsync(source.ChatAsync(turns, maxTokens, cancellation))));
            }
            catch
            {
                // The conversation goes on as if the refused message had not been sent.
                turns.RemoveAt(turns.Count - 1);
                throw;
            }
        });
        return CommandLine.Success;
    }
}
