using System.Globalization;

namespace Sluice.Cli.Flags;

/// <summary>
/// The flags that were given, checked: first those of the command line, then those of <c>--config</c>.
/// Readers name a row of the table; a flag that was left out reads as null.
/// </summary>
internal sealed class FlagValues
{
    private readonly Dictionary<string, IReadOnlyList<string>> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>Names that a binder has asked for; a test holds them against the table.</summary>
    public IReadOnlySet<string> ReadNames => _read;

    /// <summary>Names that were given.</summary>
    public IEnumerable<string> GivenNames => _given.Keys;

    /// <summary>Adds a flag unless it is there already (an earlier source wins).</summary>
    /// <exception cref="UserErrorException">A value is not one that the flag takes.</exception>
    public void Add(Flag flag, IReadOnlyList<string> values)
    {
        if (_given.ContainsKey(flag.Name))
        {
            return;
        }

        foreach (string value in values)
        {
            FlagCheck.Check(flag, value);
        }

        _given.Add(flag.Name, values);
    }

    /// <summary>One line for each accepted flag that changes nothing here.</summary>
    public IEnumerable<string> Notes()
    {
        foreach (string name in _given.Keys)
        {
            Flag flag = FlagTable.Get(name);
            if (flag.Support == FlagSupport.NotNeeded)
            {
                yield return $"{flag.LongName} is not needed: {flag.Note}.";
            }
        }
    }

    public string? Text(string name) => Last(name);

    public IReadOnlyList<string>? List(string name) => Values(name);

    public bool? Switch(string name) => Last(name) is { } text ? text == "true" : null;

    public long? Integer(string name) =>
        Last(name) is { } text && !FlagTable.Get(name).Words.Contains(text) && HumanNumber.TryParseInteger(text, out long value) ? value : null;

    public int? Count(string name) => (int?)Integer(name);

    public double? Number(string name) => Last(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : null;

    public long? Bytes(string name) => Last(name) is { } text && HumanNumber.TryParseBytes(text, out long value) ? value : null;

    private string? Last(string name) => Values(name) is { Count: > 0 } values ? values[^1] : null;

    private IReadOnlyList<string>? Values(string name)
    {
        _read.Add(name);
        return _given.GetValueOrDefault(FlagTable.Get(name).Name);
    }
}
