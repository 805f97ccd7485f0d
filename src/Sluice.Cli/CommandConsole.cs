namespace Sluice.Cli;

/// <summary>Where a command reads and writes; tests give their own.</summary>
internal sealed record CommandConsole(TextReader Input, TextWriter Output, TextWriter Error)
{
    /// <summary>A person is watching: colours and progress bars are welcome.</summary>
    public bool IsTerminal { get; init; }

    public required EnvironmentSettings Environment { get; init; }
}
