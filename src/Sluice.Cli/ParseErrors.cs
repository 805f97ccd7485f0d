using System.CommandLine;
using System.CommandLine.Parsing;
using Sluice.Cli.Commands;
using Sluice.Cli.Flags;

namespace Sluice.Cli;

/// <summary>Turns what System.CommandLine found wrong into one line that says what to do.</summary>
internal static class ParseErrors
{
    /// <param name="parsed">The parsed command line.</param>
    /// <param name="command">The command that its first words name; null when they name none.</param>
    /// <param name="arguments">The words as the user typed them.</param>
    public static void ThrowIfAny(ParseResult parsed, FlagCommand? command, IReadOnlyList<string> arguments)
    {
        if (command is null && parsed.UnmatchedTokens.Count > 0)
        {
            throw UnknownCommand(parsed, arguments);
        }

        if (parsed.UnmatchedTokens.Count > 0)
        {
            string? word = command!.Positional(parsed);
            throw UnexpectedWord(command, word is not null && IsFlagName(command, word) ? word : parsed.UnmatchedTokens[0]);
        }

        if (parsed.Errors.Count == 0)
        {
            return;
        }

        ParseError first = parsed.Errors[0];
        if (command is null)
        {
            throw new UserErrorException($"{first.Message.TrimEnd('.')}: `sluice --help` lists the commands.");
        }

        if (first.SymbolResult is OptionResult { Option: FlagOption option } result && result.Tokens.Count == 0)
        {
            throw new UserErrorException($"{option.Flag.LongName} needs a value: {option.Flag.Summary}");
        }

        throw new UserErrorException(first.Message);
    }

    private static UserErrorException UnknownCommand(ParseResult parsed, IReadOnlyList<string> arguments)
    {
        string word = parsed.UnmatchedTokens[0];
        if (word.StartsWith('-'))
        {
            return new UserErrorException($"'{word}' comes before any command: write `sluice serve {string.Join(' ', arguments)}`, or see `sluice --help`.");
        }

        IEnumerable<string> names = parsed.CommandResult.Command.Subcommands.Select(command => command.Name);
        string advice = NearestName.Find(word, names) is { } nearest
            ? $"did you mean {nearest}?"
            : Directory.Exists(word) ? $"to serve a model: sluice serve {word}" : $"the commands are {string.Join(", ", names)}";
        return new UserErrorException($"unknown command '{word}': {advice}");
    }

    private static UserErrorException UnexpectedWord(FlagCommand command, string word)
    {
        return new UserErrorException(IsFlagName(command, word)
            ? $"unexpected word '{word}': did you mean the flag --{word.Replace('_', '-')}?"
            : $"unexpected word '{word}' after `sluice {command.Words}`: a value with spaces needs quotes, a flag needs two dashes.");
    }

    private static bool IsFlagName(FlagCommand command, string word) =>
        FlagTable.Find(word.Replace('_', '-')) is { } flag && (flag.Scope & command.Scope) != 0;
}
