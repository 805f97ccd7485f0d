using System.Globalization;

namespace Sluice.Text.Unicode;

/// <summary>
/// Decompositions, compositions and combining classes, read from the embedded file when first needed (about 3 ms).
/// .NET's own string.Normalize leaves everything but ASCII alone under InvariantGlobalization, which we keep for start-up
/// time and for machines without ICU.
/// </summary>
internal sealed class NormalizationTables
{
    public const int HangulBase = 0xAC00;
    public const int LeadBase = 0x1100;
    public const int VowelBase = 0x1161;
    public const int TrailBase = 0x11A7;
    public const int LeadCount = 19;
    public const int VowelCount = 21;
    public const int TrailCount = 28;
    public const int HangulCount = LeadCount * VowelCount * TrailCount;

    private static readonly Lazy<NormalizationTables> Lazily = new(Load);

    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatibility = [];
    private readonly Dictionary<(int First, int Second), int> _compositions = [];
    private readonly Dictionary<int, byte> _combiningClasses = [];
    private readonly HashSet<int> _secondsOfCompositions = [];

    private NormalizationTables()
    {
    }

    public static NormalizationTables Instance => Lazily.Value;

    public byte CombiningClass(int codePoint) => _combiningClasses.GetValueOrDefault(codePoint);

    /// <summary>Whether a code point may be swallowed by the one before it.</summary>
    public bool CanBeSecond(int codePoint) => _secondsOfCompositions.Contains(codePoint)
        || codePoint is (>= VowelBase and < VowelBase + VowelCount) or (> TrailBase and < TrailBase + TrailCount);

    /// <summary>The full decomposition of one code point, appended to a list.</summary>
    public void Decompose(int codePoint, bool compatibility, List<int> output)
    {
        int hangul = codePoint - HangulBase;
        if ((uint)hangul < HangulCount)
        {
            output.Add(LeadBase + (hangul / (VowelCount * TrailCount)));
            output.Add(VowelBase + (hangul % (VowelCount * TrailCount) / TrailCount));
            if (hangul % TrailCount != 0)
            {
                output.Add(TrailBase + (hangul % TrailCount));
            }

            return;
        }

        if (_canonical.TryGetValue(codePoint, out int[]? parts)
            || (compatibility && _compatibility.TryGetValue(codePoint, out parts)))
        {
            foreach (int part in parts)
            {
                Decompose(part, compatibility, output);
            }

            return;
        }

        output.Add(codePoint);
    }

    /// <summary>The code point that two make together, or -1.</summary>
    public int Compose(int first, int second)
    {
        int lead = first - LeadBase;
        int vowel = second - VowelBase;
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
        {
            return HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
        }

        int syllable = first - HangulBase;
        int trail = second - TrailBase;
        if ((uint)syllable < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            return first + trail;
        }

        return _compositions.TryGetValue((first, second), out int composed) ? composed : -1;
    }

    private static NormalizationTables Load()
    {
        using Stream stream = typeof(NormalizationTables).Assembly.GetManifestResourceStream("UnicodeNormalization.txt")
            ?? throw new InvalidOperationException("The Unicode normalization data is not embedded in this assembly.");
        using var reader = new StreamReader(stream);
        var tables = new NormalizationTables();
        Span<int> fields = stackalloc int[24];
        while (reader.ReadLine() is { } line)
        {
            if (line[0] == '^')
            {
                tables.AddCombiningClass(line);
            }
            else if (line[0] != '#')
            {
                int count = ReadHexadecimal(line.AsSpan(2), fields);
                tables.AddDecomposition(line[0], fields[0], fields[1..count].ToArray());
            }
        }

        return tables;
    }

    private void AddDecomposition(char kind, int codePoint, int[] parts)
    {
        if (kind == '~')
        {
            _compatibility[codePoint] = parts;
            return;
        }

        _canonical[codePoint] = parts;
        if (kind == '=')
        {
            _compositions[(parts[0], parts[1])] = codePoint;
            _secondsOfCompositions.Add(parts[1]);
        }
    }

    private void AddCombiningClass(string line)
    {
        string[] parts = line.Split(' ');
        int last = int.Parse(parts[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        for (int i = int.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture); i <= last; i++)
        {
            _combiningClasses[i] = byte.Parse(parts[3], CultureInfo.InvariantCulture);
        }
    }

    private static int ReadHexadecimal(ReadOnlySpan<char> line, Span<int> fields)
    {
        int count = 0;
        foreach (Range range in line.Split(' '))
        {
            fields[count++] = int.Parse(line[range], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        return count;
    }
}
