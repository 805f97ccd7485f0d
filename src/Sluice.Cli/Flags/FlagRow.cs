namespace Sluice.Cli.Flags;

/// <summary>Short forms in which the table's files write their rows.</summary>
internal static class FlagRow
{
    public static Flag Switch(string name, string summary, string standard = "off") =>
        new(name, FlagKind.Switch, FlagSupport.Used, summary) { Default = standard };

    public static Flag String(string name, string summary, string? standard = null) =>
        new(name, FlagKind.Text, FlagSupport.Used, summary) { Default = standard };

    public static Flag Choice(string name, string summary, string standard, params string[] values) =>
        new(name, FlagKind.Text, FlagSupport.Used, summary) { Default = standard, Values = values };

    public static Flag List(string name, string summary, string? standard = null) =>
        new(name, FlagKind.List, FlagSupport.Used, summary) { Default = standard };

    public static Flag Integer(string name, string summary, string? standard = null, double minimum = 0, double maximum = int.MaxValue) =>
        new(name, FlagKind.Integer, FlagSupport.Used, summary) { Default = standard, Minimum = minimum, Maximum = maximum };

    public static Flag Number(string name, string summary, string? standard = null, double minimum = 0, double maximum = double.PositiveInfinity) =>
        new(name, FlagKind.Number, FlagSupport.Used, summary) { Default = standard, Minimum = minimum, Maximum = maximum };

    public static Flag Bytes(string name, string summary, string? standard = null) =>
        new(name, FlagKind.Bytes, FlagSupport.Used, summary) { Default = standard, Minimum = 1 };

    public static Flag Json(string name, string summary, string? standard = null) =>
        new(name, FlagKind.Json, FlagSupport.Used, summary) { Default = standard };

    /// <summary>Accepted with one line that gives <paramref name="reason"/>.</summary>
    public static Flag NotNeeded(string name, FlagKind kind, string summary, string reason) =>
        new(name, kind, FlagSupport.NotNeeded, summary) { Note = reason };

    /// <summary>An error unless the value is one of <paramref name="harmless"/>, which ask for nothing.</summary>
    public static Flag NotYet(string name, FlagKind kind, string summary, params string[] harmless) =>
        new(name, kind, FlagSupport.NotSupportedYet, summary) { Values = harmless, Default = harmless.Length > 0 ? harmless[0] : null };

    public static Flag As(this Flag flag, params string[] aliases) => flag with { Aliases = aliases };

    public static Flag In(this Flag flag, FlagScope scope) => flag with { Scope = scope };

    public static Flag Later(this Flag flag, params string[] values) => flag with { LaterValues = values };

    public static Flag Word(this Flag flag, params string[] words) => flag with { Words = words };

    public static Flag Hint(this Flag flag, string note) => flag with { Note = note };

    public static IReadOnlyList<Flag> Group(string group, params Flag[] flags) => [.. flags.Select(flag => flag with { Group = group })];
}
