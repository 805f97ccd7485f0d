using Sluice.Requests;

namespace Sluice.Cli.Clients;

/// <summary>Reads lines and answers each, until the input ends. What is wrong with one line ends that line only.</summary>
internal static class ClientLoop
{
    /// <param name="console">Lines come from its input.</param>
    /// <param name="source">What answers.</param>
    /// <param name="invitation">Written first.</param>
    /// <param name="answer">Answers a line.</param>
    public static async Task RunAsync(CommandConsole console, ITextSource source, string invitation, Func<string, Task> answer)
    {
        await console.Output.WriteLineAsync($"Using model: {source.ModelName}");
        await console.Output.WriteLineAsync(invitation);
        while (true)
        {
            await console.Output.WriteAsync("> ");
            await console.Output.FlushAsync();
            if (await console.Input.ReadLineAsync() is not { } line)
            {
                await console.Output.WriteLineAsync();
                return;
            }

            if (line.Trim().Length == 0)
            {
                continue;
            }

            try
            {
                await answer(line);
            }
            catch (Exception mistake) when (mistake is UserErrorException or RequestValidationException)
            {
                await console.Error.WriteLineAsync("error: " + mistake.Message);
            }
        }
    }
}
