namespace Sluice.Cli.Flags;

/// <summary>The commands' names, as messages print them.</summary>
internal static class CommandNames
{
    public static IReadOnlyList<(string Words, FlagScope Scope)> All { get; } =
    [
        ("serve", FlagScope.Serve),
        ("chat", FlagScope.Chat),
        ("complete", FlagScope.Complete),
        ("warm", FlagScope.Warm),
        ("bench throughput", FlagScope.Throughput),
        ("bench latency", FlagScope.Latency),
        ("bench machine", FlagScope.Machine),
    ];

    /// <summary><c>sluice serve</c>; several are joined.</summary>
    public static string Of(FlagScope scope) =>
        string.Join(", ", All.Where(command => (command.Scope & scope) != 0).Select(command => "sluice " + command.Words));
}
