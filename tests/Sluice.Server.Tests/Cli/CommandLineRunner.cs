using Sluice.Cli;

namespace Sluice.Server.Tests.Cli;

/// <summary>Runs a command line in this process.</summary>
internal static class CommandLineRunner
{
    public static EnvironmentSettings EmptyEnvironment { get; } = EnvironmentSettings.Read(_ => null);

    public static async Task<(int Code, string Output, string Error)> RunAsync(IReadOnlyList<string> arguments, string input = "", EnvironmentSettings? environment = null)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var reader = new StringReader(input);
        var console = new CommandConsole(reader, output, error) { Environment = environment ?? EmptyEnvironment };
        int code = await CommandLine.RunAsync(arguments, console, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
