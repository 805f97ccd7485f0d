namespace Sluice.Server.OpenAi;

/// <summary>What JSON a field takes.</summary>
internal enum FieldKind
{
    Boolean,
    Integer,
    Number,
    Text,

    /// <summary>A text or a list of texts.</summary>
    Texts,

    /// <summary>A list of token ids.</summary>
    TokenIds,
    Object,
    List,
}

/// <summary>One row of <see cref="Limits"/>: what a field of a request may hold.</summary>
/// <param name="Name">Name in the JSON.</param>
/// <param name="Kind">Type in the JSON.</param>
internal sealed record FieldLimit(string Name, FieldKind Kind)
{
    /// <summary>Least number.</summary>
    public double Minimum { get; init; } = double.NegativeInfinity;

    /// <summary>Largest number.</summary>
    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>A value outside of the range that has a meaning of its own, such as -1 for all.</summary>
    public double? Special { get; init; }

    /// <summary>Most characters of a text, or of each text of a list.</summary>
    public int MaxLength { get; init; } = int.MaxValue;

    /// <summary>Least characters of a text.</summary>
    public int MinLength { get; init; }

    /// <summary>Most entries of a list or an object.</summary>
    public int MaxCount { get; init; } = int.MaxValue;

    /// <summary>The range in words, for messages.</summary>
    public string Range => Kind switch
    {
        FieldKind.Number => "a finite number",
        _ when Special is double special => $"{special:0} or in [{Minimum:0}, {Maximum:0}]",
        _ => $"in [{Minimum:0}, {Maximum:0}]",
    };

    /// <summary>True when a number is allowed; not-a-number and infinity never are.</summary>
    public bool Allows(double value) => value.Equals(Special) || (value >= Minimum && value <= Maximum && double.IsFinite(value));
}
