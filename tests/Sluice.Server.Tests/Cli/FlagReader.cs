using System.CommandLine;
using Sluice.Cli;
using Sluice.Cli.Commands;
using Sluice.Cli.Flags;

namespace Sluice.Server.Tests.Cli;

/// <summary>Reads flags the way a command does.</summary>
internal static class FlagReader
{
    public static (FlagValues Values, string? Positional, string Notes) Read(FlagScope scope, params string[] words)
    {
        var command = new FlagCommand("serve", "", scope, ("MODEL", ""));
        var root = new RootCommand { command };
        NormalizedArguments normalized = ArgumentNormalizer.Normalize(scope, words);
        ParseResult parsed = root.Parse(["serve", .. normalized.Tokens], new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        ParseErrors.ThrowIfAny(parsed, command, words);
        using var notes = new StringWriter();
        return (command.Values(parsed, notes), command.Positional(parsed), notes.ToString());
    }

    public static EngineOptions Engine(params string[] words) => EngineOptionsBinder.Bind(Read(FlagScope.Serve, words).Values, "folder");

    public static ServerOptions Server(params string[] words) =>
        ServerOptionsBinder.Bind(Read(FlagScope.Serve, words).Values, "name", CommandLineRunner.EmptyEnvironment);
}
