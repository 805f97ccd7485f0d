using System.Text;
using System.Text.Json;

namespace Sluice.Cli.Flags;

/// <summary>A JSON object put together from <c>--flag.member value</c> and <c>--flag.outer.inner value</c>.</summary>
internal sealed class DottedJson
{
    private readonly SortedDictionary<string, object> _members = new(StringComparer.Ordinal);

    /// <param name="flag">The flag as it was written, for errors.</param>
    /// <param name="path">Members from the outside in, with dots between.</param>
    /// <param name="value">JSON, or plain text, which becomes a string.</param>
    public void Set(string flag, string path, string value)
    {
        string[] names = path.Split('.');
        SortedDictionary<string, object> target = _members;
        for (int depth = 0; depth < names.Length; depth++)
        {
            if (names[depth].Length == 0)
            {
                throw new UserErrorException($"'{flag}' has an empty name between its dots.");
            }

            if (depth == names.Length - 1)
            {
                target[names[depth]] = value;
            }
            else if (!target.TryGetValue(names[depth], out object? inner))
            {
                var created = new SortedDictionary<string, object>(StringComparer.Ordinal);
                target[names[depth]] = created;
                target = created;
            }
            else
            {
                target = inner as SortedDictionary<string, object>
                    ?? throw new UserErrorException($"'{flag}' names a member of a value that was given before as plain text.");
            }
        }
    }

    /// <summary>Sets one member to a piece of JSON.</summary>
    public void SetRaw(string name, string json) => _members[name] = json;

    public override string ToString()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            Write(writer, _members);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Write(Utf8JsonWriter writer, SortedDictionary<string, object> members)
    {
        writer.WriteStartObject();
        foreach ((string name, object value) in members)
        {
            writer.WritePropertyName(name);
            if (value is SortedDictionary<string, object> inner)
            {
                Write(writer, inner);
            }
            else
            {
                WriteText(writer, (string)value);
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, string text)
    {
        // Python's words for the JSON ones, as people write them on a command line.
        string candidate = text switch { "True" => "true", "False" => "false", "None" => "null", _ => text };
        try
        {
            using JsonDocument document = JsonDocument.Parse(candidate);
            document.RootElement.WriteTo(writer);
        }
        catch (JsonException)
        {
            writer.WriteStringValue(text);
        }
    }
}
