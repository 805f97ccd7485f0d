using System.Globalization;

namespace Sluice.Cli.Flags;

/// <summary>A command line in canonical spelling.</summary>
/// <param name="Tokens">What System.CommandLine parses.</param>
/// <param name="HelpQuery">The word of <c>--help=word</c>; null when it was not given.</param>
internal sealed record NormalizedArguments(IReadOnlyList<string> Tokens, string? HelpQuery);

/// <summary>
/// Rewrites the spellings that vLLM's parser takes to one: <c>_</c> to <c>-</c>, <c>--no-x</c> to <c>--x=false</c>,
/// <c>-O2</c> to <c>--optimization-level=2</c>, dotted members to one JSON value; and tells unknown flags, with the
/// nearest known one. As in Python's argparse, a word that starts with a dash is a flag unless it is a number.
/// </summary>
internal sealed class ArgumentNormalizer
{
    private readonly FlagScope _scope;
    private readonly Dictionary<string, Flag> _spellings;
    private readonly List<string> _tokens = [];
    private readonly Dictionary<string, DottedJson> _dotted = new(StringComparer.Ordinal);
    private string? _helpQuery;

    private ArgumentNormalizer(FlagScope scope)
    {
        _scope = scope;
        _spellings = FlagTable.Spellings(scope);
    }

    /// <param name="scope">The command whose flags are meant.</param>
    /// <param name="arguments">The words after the command's name.</param>
    public static NormalizedArguments Normalize(FlagScope scope, IReadOnlyList<string> arguments)
    {
        var normalizer = new ArgumentNormalizer(scope);
        normalizer.Run(arguments);
        return new NormalizedArguments(normalizer._tokens, normalizer._helpQuery);
    }

    private void Run(IReadOnlyList<string> arguments)
    {
        for (int index = 0; index < arguments.Count; index++)
        {
            string word = arguments[index];
            string? next = index + 1 < arguments.Count ? arguments[index + 1] : null;
            if (word == "--")
            {
                if (next is not null && Resolve("--" + next) is not null)
                {
                    throw new UserErrorException($"'-- {next}' has a space too many: write --{next}.");
                }

                _tokens.AddRange(arguments.Skip(index));
                break;
            }

            if (!IsFlag(word))
            {
                _tokens.Add(word);
                continue;
            }

            index += Append(word, next);
        }

        foreach ((string name, DottedJson json) in _dotted)
        {
            _tokens.Add($"--{name}={json}");
        }
    }

    /// <summary>Handles one flag; returns how many following words it took.</summary>
    private int Append(string word, string? next)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? word : word[..equals];
        string? value = equals < 0 ? null : word[(equals + 1)..];
        if (name is "--help" or "-h" or "-?" or "--version" or "-v")
        {
            _helpQuery = name == "--help" ? value ?? _helpQuery : _helpQuery;
            _tokens.Add(name == "--help" ? "--help" : name);
            return 0;
        }

        if (name.Length == 3 && name.StartsWith("-O", StringComparison.Ordinal) && char.IsAsciiDigit(name[2]))
        {
            (name, value) = ("--optimization-level", name[2..]);
        }

        string dashed = Dashed(name);
        if (Resolve(dashed) is { } flag)
        {
            return AppendKnown(flag, value, next);
        }

        if (dashed.StartsWith("--no-", StringComparison.Ordinal) && Resolve("--" + dashed[5..]) is { Kind: FlagKind.Switch } negated)
        {
            if (value is not null)
            {
                throw new UserErrorException($"{name} takes no value; write {name} or {negated.LongName}.");
            }

            _tokens.Add(negated.LongName + "=false");
            return 0;
        }

        int dot = dashed.IndexOf('.', StringComparison.Ordinal);
        if (dot > 0 && Resolve(dashed[..dot]) is { Kind: FlagKind.Json } json)
        {
            string path = name[(dot + 1)..];
            if (value is null && (next is null || IsFlag(next)))
            {
                throw new UserErrorException($"{name} needs a value.");
            }

            if (!_dotted.TryGetValue(json.Name, out DottedJson? members))
            {
                _dotted.Add(json.Name, members = new DottedJson());
            }

            members.Set(name, path, value ?? next!);
            return value is null ? 1 : 0;
        }

        throw Unknown(name);
    }

    private int AppendKnown(Flag flag, string? value, string? next)
    {
        if (flag.Kind != FlagKind.Switch)
        {
            if (value is null && (next is null || IsFlag(next)))
            {
                throw new UserErrorException($"{flag.LongName} needs a value: {flag.Summary}");
            }

            // An empty value must be a word of its own; one that begins with a dash must not.
            _tokens.AddRange(value switch { null => [flag.LongName], "" => [flag.LongName, ""], _ => [$"{flag.LongName}={value}"] });
            return 0;
        }

        // Old vLLM took `--enable-chunked-prefill False`.
        bool takesNext = value is null && next is not null && bool.TryParse(next, out _);
        string setting = value ?? (takesNext ? next! : "true");
        _tokens.Add($"{flag.LongName}={setting.ToLowerInvariant()}");
        return takesNext ? 1 : 0;
    }

    private Flag? Resolve(string spelling) => _spellings.GetValueOrDefault(spelling);

    private UserErrorException Unknown(string name)
    {
        if (name[0] is '—' or '–')
        {
            return new UserErrorException($"'{name}' begins with a long dash, as web pages make of two short ones: write --{name.TrimStart('—', '–', '-')}.");
        }

        string dashed = Dashed(name);
        string bare = dashed.TrimStart('-');
        if (FlagTable.Find(bare) is { } other && (other.Scope & _scope) == 0)
        {
            return new UserErrorException($"{other.LongName} is a flag of {CommandNames.Of(other.Scope)}; {CommandNames.Of(_scope)} does not take it.");
        }

        if (Resolve("--" + bare) is { } oneDash)
        {
            return new UserErrorException($"unknown flag '{name}': write {oneDash.LongName}, with two dashes.");
        }

        IEnumerable<string> candidates = _spellings.Where(pair => pair.Key.StartsWith("--", StringComparison.Ordinal)).Select(pair => pair.Key[2..]);
        string? nearest = NearestName.Find(bare, candidates)
            ?? _spellings.Values.FirstOrDefault(flag => bare.Length >= 5 && flag.Name.StartsWith(bare, StringComparison.Ordinal))?.Name;
        string advice = nearest is null ? $"`{CommandNames.Of(_scope)} --help=all` lists them" : $"did you mean --{nearest}?";
        return new UserErrorException($"unknown flag '{name}': {advice}");
    }

    private static string Dashed(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? name.Replace('_', '-') : name[..dot].Replace('_', '-') + name[dot..];
    }

    private static bool IsFlag(string word) =>
        word.Length > 1
        && word[0] is ('-' or '—' or '–')
        && !double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
        && !word.AsSpan(0, word.IndexOf('=', StringComparison.Ordinal) is var equals and >= 0 ? equals : word.Length).Contains(' ');
}
