namespace Sluice.Cli.Flags;

/// <summary>
/// Every flag of every command: the one place that says how it is spelled, what it takes and what becomes of it.
/// The parser, the help, <c>docs/options.md</c> and the tests read this table; the binders name its rows.
/// </summary>
internal static class FlagTable
{
    public static IReadOnlyList<Flag> All { get; } =
    [
        .. EngineFlags.Rows,
        .. ServerFlags.Rows,
        .. CommandFlags.Rows,
        .. GpuFlags.Rows,
        .. OldFlags.Rows,
        .. OtherFlags.Rows,
    ];

    private static readonly Dictionary<string, Flag> ByName = All.ToDictionary(flag => flag.Name, StringComparer.Ordinal);

    /// <summary>The flag of a canonical name without dashes.</summary>
    public static Flag Get(string name) =>
        ByName.GetValueOrDefault(name) ?? throw new ArgumentException($"The flag table has no row '{name}'.", nameof(name));

    /// <summary>The flag of a canonical name without dashes; null when there is none.</summary>
    public static Flag? Find(string name) => ByName.GetValueOrDefault(name);

    public static IEnumerable<Flag> Of(FlagScope scope) => All.Where(flag => (flag.Scope & scope) != 0);

    /// <summary>A command's flags by every spelling with dashes: <c>--tensor-parallel-size</c> and <c>-tp</c>.</summary>
    public static Dictionary<string, Flag> Spellings(FlagScope scope)
    {
        var spellings = new Dictionary<string, Flag>(StringComparer.Ordinal);
        foreach (Flag flag in Of(scope))
        {
            spellings.Add(flag.LongName, flag);
            foreach (string alias in flag.Aliases)
            {
                spellings.Add(alias, flag);
            }
        }

        return spellings;
    }
}
