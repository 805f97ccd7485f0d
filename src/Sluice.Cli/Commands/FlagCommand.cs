using System.CommandLine;
using Sluice.Cli.Flags;

namespace Sluice.Cli.Commands;

/// <summary>A command whose flags are the rows of the flag table in its scope.</summary>
internal sealed class FlagCommand : Command
{
    private readonly Argument<string?>? _positional;
    private readonly List<FlagOption> _options = [];

    /// <param name="words">The command's words: <c>bench latency</c>.</param>
    /// <param name="description">What it does, in one line.</param>
    /// <param name="scope">Which rows of the table it takes.</param>
    /// <param name="positional">A word without flag, with its description; null for none.</param>
    public FlagCommand(string words, string description, FlagScope scope, (string Name, string Description)? positional = null)
        : base(words.Split(' ')[^1], description)
    {
        Words = words;
        Scope = scope;
        if (positional is { } word)
        {
            _positional = new Argument<string?>(word.Name) { Description = word.Description, Arity = ArgumentArity.ZeroOrOne };
            Add(_positional);
        }

        foreach (Flag flag in FlagTable.Of(scope))
        {
            var option = new FlagOption(flag);
            _options.Add(option);
            Add(option);
        }
    }

    public string Words { get; }

    public FlagScope Scope { get; }

    /// <summary>The word without flag, when there is one.</summary>
    public string? Positional(ParseResult parsed) => _positional is null ? null : parsed.GetValue(_positional);

    /// <summary>The flags of the command line, then those of its <c>--config</c> file; notes on needless ones go to <paramref name="notes"/>.</summary>
    public FlagValues Values(ParseResult parsed, TextWriter notes)
    {
        var values = new FlagValues();
        Collect(parsed, values);
        if (Scope != FlagScope.Machine && values.Text("config") is { } path)
        {
            NormalizedArguments fromFile = ArgumentNormalizer.Normalize(Scope, ConfigFile.Read(path));
            Collect(Parse(fromFile.Tokens, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null }), values);
        }

        foreach (string note in values.Notes())
        {
            notes.WriteLine("note: " + note);
        }

        return values;
    }

    private void Collect(ParseResult parsed, FlagValues values)
    {
        foreach (FlagOption option in _options)
        {
            if (parsed.GetResult(option) is { Implicit: false } result)
            {
                values.Add(option.Flag, [.. result.Tokens.Select(token => token.Value)]);
            }
        }
    }
}
