using Sluice.Cli.Flags;

namespace Sluice.Cli.Commands;

/// <summary>Help of a command, by the groups of the flag table; <c>--help=word</c> searches it.</summary>
internal static class FlagHelp
{
    private const int NameWidth = 34;

    public static void Write(FlagCommand command, TextWriter output)
    {
        string argument = command.Arguments.Count > 0 ? $" [{command.Arguments[0].Name}]" : "";
        output.WriteLine($"{command.Description}\n\nUsage:\n  sluice {command.Words}{argument} [flags]\n");
        if (command.Arguments.Count > 0)
        {
            WriteColumns(output, command.Arguments[0].Name, command.Arguments[0].Description ?? "");
            output.WriteLine();
        }

        WriteGroups(FlagTable.Of(command.Scope).Where(flag => flag.Support == FlagSupport.Used && !flag.IsOld), output);
        if (command.Scope == FlagScope.Serve)
        {
            output.WriteLine("More: --help=all lists all flags of vLLM and what becomes of them; --help=WORD searches.");
        }
    }

    /// <summary><c>--help=all</c>, or the flags and groups that contain a word.</summary>
    public static void WriteMatches(FlagCommand command, string query, TextWriter output)
    {
        string word = query.Trim().TrimStart('-').Replace('_', '-');
        Flag[] matches = [.. FlagTable.Of(command.Scope).Where(flag => word.Length == 0 || word == "all" || Contains(flag.Name, word) || Contains(flag.Group, word))];
        if (matches.Length == 0)
        {
            string nearest = NearestName.Find(word, FlagTable.Of(command.Scope).Select(flag => flag.Name)) is { } name ? $" Did you mean {name}?" : "";
            throw new UserErrorException($"no flag of `sluice {command.Words}` contains '{word}'.{nearest}");
        }

        WriteGroups(matches, output);
    }

    private static bool Contains(string text, string word) => text.Contains(word, StringComparison.OrdinalIgnoreCase);

    private static void WriteGroups(IEnumerable<Flag> flags, TextWriter output)
    {
        foreach (IGrouping<string, Flag> group in flags.GroupBy(flag => flag.Group))
        {
            output.WriteLine(group.Key + ":");
            foreach (Flag flag in group)
            {
                WriteColumns(output, Spelling(flag), Description(flag));
            }

            output.WriteLine();
        }
    }

    private static string Spelling(Flag flag)
    {
        string names = string.Join(", ", flag.Aliases.Append(flag.LongName));
        string value = flag.Kind switch
        {
            FlagKind.Switch => "",
            FlagKind.Integer => " N",
            FlagKind.Number => " X",
            FlagKind.Bytes => " SIZE",
            FlagKind.Json => " JSON",
            FlagKind.List => " A [B ...]",
            _ => " TEXT",
        };
        return flag.Kind == FlagKind.Switch && flag.Default == "on" ? $"--[no-]{flag.Name}" : names + value;
    }

    private static string Description(Flag flag)
    {
        string values = flag.Support == FlagSupport.Used && flag.Values is { } all ? $" One of {string.Join(", ", all.Where(value => value.Length > 0))}." : "";
        string standard = flag.Default is { } text && flag.Support == FlagSupport.Used ? $" [{text}]" : "";
        string state = flag.Support switch
        {
            FlagSupport.NotNeeded => $" Not needed: {flag.Note}.",
            FlagSupport.NotSupportedYet => " Not supported yet.",
            _ => "",
        };
        return (flag.Summary + values + standard + state).TrimStart();
    }

    private static void WriteColumns(TextWriter output, string name, string description) =>
        output.WriteLine(name.Length <= NameWidth ? $"  {name.PadRight(NameWidth)} {description}" : $"  {name}\n  {new string(' ', NameWidth)} {description}");
}
