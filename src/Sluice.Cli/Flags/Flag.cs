namespace Sluice.Cli.Flags;

/// <summary>The commands that know a flag.</summary>
[Flags]
internal enum FlagScope
{
    None = 0,
    Serve = 1,
    Throughput = 2,
    Latency = 4,
    Machine = 8,
    Chat = 16,
    Complete = 32,
    Warm = 64,

    Clients = Chat | Complete,
    Benchmarks = Throughput | Latency,

    /// <summary>Every command that starts an engine; the clients do with <c>--model</c>.</summary>
    Engine = Serve | Benchmarks | Clients | Warm,
}

/// <summary>What a flag's value looks like.</summary>
internal enum FlagKind
{
    /// <summary><c>--x</c>, <c>--no-x</c>, <c>--x=true</c>.</summary>
    Switch,
    Text,

    /// <summary>One or more values: <c>--x a b</c>, <c>--x a --x b</c>.</summary>
    List,

    /// <summary>A whole number; <c>8k</c> is 8000 and <c>8K</c> is 8192.</summary>
    Integer,
    Number,

    /// <summary>A size: <c>4GiB</c>, <c>512MB</c>, or plain bytes.</summary>
    Bytes,

    /// <summary>A JSON object, or its members as <c>--x.member value</c>.</summary>
    Json,
}

/// <summary>What this version does with a flag.</summary>
internal enum FlagSupport
{
    /// <summary>It changes what the program does.</summary>
    Used,

    /// <summary>Accepted, so that command lines written for vLLM run; one line says why nothing has to be done.</summary>
    NotNeeded,

    /// <summary>Asks for something that does not exist here yet: an error, unless the value asks for nothing.</summary>
    NotSupportedYet,
}

/// <summary>One flag: its spelling, what values it takes, and what becomes of it.</summary>
internal sealed record Flag(string Name, FlagKind Kind, FlagSupport Support, string Summary)
{
    public string Group { get; init; } = "";

    public FlagScope Scope { get; init; } = FlagScope.Engine;

    /// <summary>Other spellings with their dashes: <c>-tp</c>.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>What holds when the flag is left out, as help shows it.</summary>
    public string? Default { get; init; }

    /// <summary>
    /// The values that work; null for any. For a flag that is not supported yet: the values that ask for nothing.
    /// </summary>
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>Values of vLLM's that a used flag does not take yet.</summary>
    public IReadOnlyList<string> LaterValues { get; init; } = [];

    public double Minimum { get; init; } = double.NegativeInfinity;

    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>Words besides numbers that a number flag takes: <c>auto</c>.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Why it is not needed, or what to do instead.</summary>
    public string? Note { get; init; }

    /// <summary>Gone from current vLLM, alive in scripts.</summary>
    public bool IsOld { get; init; }

    public string LongName => "--" + Name;

    public bool IsMultiple => Kind == FlagKind.List;
}
