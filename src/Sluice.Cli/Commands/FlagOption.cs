using System.CommandLine;
using Sluice.Cli.Flags;

namespace Sluice.Cli.Commands;

/// <summary>A row of the flag table as System.CommandLine sees it. A flag may come several times; then the last one counts.</summary>
internal sealed class FlagOption : Option<string[]>
{
    public FlagOption(Flag flag)
        : base(flag.LongName, [.. flag.Aliases])
    {
        Flag = flag;
        Description = flag.Summary;
        Arity = ArgumentArity.OneOrMore;
        AllowMultipleArgumentsPerToken = flag.IsMultiple;
        Hidden = flag.Support != FlagSupport.Used;
        foreach (string value in (flag.Values ?? []).Where(value => value.Length > 0))
        {
            CompletionSources.Add(_ => [new System.CommandLine.Completions.CompletionItem(value)]);
        }
    }

    public Flag Flag { get; }
}
