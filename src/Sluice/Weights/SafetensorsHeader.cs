using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace Sluice.Weights;

/// <summary>
/// Parses and checks the header of a safetensors file: 8 bytes of length, then a JSON object of
/// <c>name: {dtype, shape, data_offsets}</c>. The data must be covered exactly: no hole, no overlap, nothing behind it. A header
/// is an untrusted input: every count is checked before anything is allocated for it.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>Bytes of the length in front of the header.</summary>
    public const int PrefixBytes = 8;

    // The format's own limit.
    private const long MaxHeaderBytes = 100_000_000;
    private const int MaxDimensions = 16;

    /// <summary>The length of the header, checked against the file's.</summary>
    public static int CheckLength(string file, ReadOnlySpan<byte> prefix, long fileBytes)
    {
        if (fileBytes < PrefixBytes)
        {
            throw new UserErrorException($"{file}: {fileBytes} bytes is too short for a safetensors file; the download may be incomplete");
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > (ulong)(fileBytes - PrefixBytes))
        {
            throw new UserErrorException(
                $"{file}: the header says it is {length} bytes long, but the file has {fileBytes - PrefixBytes} after it; it "
                + "is truncated or no safetensors file");
        }

        return length <= MaxHeaderBytes
            ? (int)length
            : throw new UserErrorException($"{file}: the header is {length} bytes long; at most {MaxHeaderBytes} was expected");
    }

    /// <param name="file">Path, for errors.</param>
    /// <param name="header">The JSON text.</param>
    /// <param name="dataBytes">Bytes of the file after the header.</param>
    /// <returns>The tensors in the order of their data.</returns>
    public static List<SafetensorsEntry> Parse(string file, ReadOnlySpan<byte> header, long dataBytes)
    {
        List<SafetensorsEntry> entries;
        try
        {
            entries = ParseObject(file, header);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // InvalidOperationException: text that is not valid UTF-8 or UTF-16.
            throw new UserErrorException($"{file}: the header is not valid JSON: {e.Message.ReplaceLineEndings(" ")}");
        }

        CheckLayout(file, entries, dataBytes);
        return entries;
    }

    private static List<SafetensorsEntry> ParseObject(string file, ReadOnlySpan<byte> header)
    {
        if (header.IsEmpty || header[0] != (byte)'{')
        {
            throw new UserErrorException($"{file}: the header does not start with {{; this is no safetensors file");
        }

        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (!names.Add(name))
            {
                throw new UserErrorException($"{file}: tensor {Quote(name)} is in the header twice");
            }

            if (name == "__metadata__")
            {
                reader.Skip();
            }
            else
            {
                entries.Add(ParseEntry(file, name, ref reader));
            }
        }

        // What follows the object must be white space: Read throws on anything else.
        reader.Read();
        return entries;
    }

    private static SafetensorsEntry ParseEntry(string file, string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new UserErrorException($"{file}: tensor {Quote(name)} is described by {reader.TokenType}; an object was expected");
        }

        string? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isRepeated = false;
            if (reader.ValueTextEquals("dtype"u8))
            {
                reader.Read();
                isRepeated = type is not null;
                type = reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Malformed(file, name, "dtype", "a string");
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                isRepeated = shape is not null;
                shape = ParseIntegers(file, name, "shape", ref reader);
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                isRepeated = offsets is not null;
                offsets = ParseIntegers(file, name, "data_offsets", ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }

            if (isRepeated)
            {
                throw new UserErrorException($"{file}: tensor {Quote(name)} is described twice");
            }
        }

        if (type is null || shape is null || offsets is not [long begin, long end])
        {
            throw new UserErrorException($"{file}: tensor {Quote(name)} lacks dtype, shape or the two data_offsets");
        }

        return new SafetensorsEntry(name, type, shape, begin, end);
    }

    private static long[] ParseIntegers(string file, string name, string field, ref Utf8JsonReader reader)
    {
        const string expected = "a short list of integers, none under 0";
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Malformed(file, name, field, expected);
        }

        var values = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (values.Count == MaxDimensions
                || reader.TokenType != JsonTokenType.Number
                || !reader.TryGetInt64(out long value)
                || value < 0)
            {
                throw Malformed(file, name, field, expected);
            }

            values.Add(value);
        }

        return [.. values];
    }

    private static void CheckLayout(string file, List<SafetensorsEntry> entries, long dataBytes)
    {
        entries.Sort(static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long position = 0;
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Begin != position || entry.End < entry.Begin)
            {
                string what = entry.End < entry.Begin ? "ends before it begins"
                    : entry.Begin < position ? "overlaps another"
                    : "leaves a hole before it";
                throw new UserErrorException(
                    $"{file}: tensor {Quote(entry.Name)} at bytes {entry.Begin} to {entry.End} {what}; its beginning was "
                    + $"expected at {position}");
            }

            CheckSize(file, entry);
            position = entry.End;
        }

        if (position != dataBytes)
        {
            throw new UserErrorException(position > dataBytes
                ? $"{file}: truncated: tensors take {position} bytes, and the file has {dataBytes} of them; download it again"
                : $"{file}: {dataBytes - position} bytes follow the last tensor; the file is damaged");
        }
    }

    private static void CheckSize(string file, SafetensorsEntry entry)
    {
        int bits = SafetensorsType.Bits(entry.TypeName);
        if (bits == 0)
        {
            throw new UserErrorException(
                $"{file}: tensor {Quote(entry.Name)} has the unknown dtype {Quote(entry.TypeName)}; supported are "
                + $"{SafetensorsType.Supported}");
        }

        Int128 expectedBits = bits;
        foreach (long size in entry.Shape)
        {
            expectedBits *= size;
            if (expectedBits > (Int128)long.MaxValue)
            {
                throw new UserErrorException($"{file}: tensor {Quote(entry.Name)} of shape {entry.ShapeText} is larger than any file");
            }
        }

        if (expectedBits != (Int128)(entry.End - entry.Begin) * 8)
        {
            throw new UserErrorException(
                $"{file}: tensor {Quote(entry.Name)} has {entry.End - entry.Begin} bytes; {entry.TypeName} {entry.ShapeText} "
                + $"takes {expectedBits / 8}");
        }
    }

    private static UserErrorException Malformed(string file, string name, string field, string expected) =>
        new($"{file}: tensor {Quote(name)}: \"{field}\" is malformed; {expected} was expected");

    /// <summary>A name from a file, safe for one line of an error.</summary>
    public static string Quote(string name)
    {
        const int longest = 120;
        string shown = name.Length <= longest ? name : name[..longest] + "...";
        return string.Create(CultureInfo.InvariantCulture, $"\"{new string([.. shown.Select(static c => char.IsControl(c) ? '?' : c)])}\"");
    }
}
