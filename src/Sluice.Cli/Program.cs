using System.Text;
using Sluice;
using Sluice.Cli;

try
{
    // Model text is UTF-8, whatever the locale of the terminal says.
    Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
    Console.InputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
    var console = new CommandConsole(Console.In, Console.Out, Console.Error)
    {
        IsTerminal = !Console.IsOutputRedirected && !Console.IsErrorRedirected,
        Environment = EnvironmentSettings.Read(),
    };
    return await CommandLine.RunAsync(args, console, CancellationToken.None);
}
catch (UserErrorException mistake)
{
    await Console.Error.WriteLineAsync("error: " + mistake.Message);
    return CommandLine.UsersMistake;
}
