using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>
/// The fields of one JSON object of a request. Every reading checks type and range by a row of <see cref="Limits"/>; a complaint names the
/// field, the value and what is allowed. Null counts as absent, as in vLLM.
/// </summary>
internal sealed class Fields
{
    // The largest whole number that a double holds exactly, for numbers written as 3.0 or 1e3.
    private const double MaxExactInteger = 9007199254740992;

    private readonly Dictionary<string, JsonElement> _values;
    private readonly string _path;

    /// <param name="value">A JSON object.</param>
    /// <param name="path">Where it stands, such as <c>messages[0]</c>; empty for the body.</param>
    public Fields(JsonElement value, string path = "")
    {
        _path = path;
        _values = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Null)
            {
                _values[Name(property)] = property.Value;
            }
        }
    }

    /// <summary>All fields that are not null.</summary>
    public IReadOnlyDictionary<string, JsonElement> Values => _values;

    /// <summary>The value of a field, unless it is absent or null.</summary>
    public bool TryGet(string name, out JsonElement value) => _values.TryGetValue(name, out value);

    public bool Has(FieldLimit limit) => _values.ContainsKey(limit.Name);

    /// <summary>Name of a field as clients know it, with the object it stands in.</summary>
    public string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    public bool Boolean(FieldLimit limit, bool standard) => Boolean(limit) ?? standard;

    public bool? Boolean(FieldLimit limit)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw WrongType(limit.Name, "true or false", value),
        };
    }

    public long? Integer(FieldLimit limit)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return null;
        }

        long number = Integer(value, limit.Name, "an integer");
        return limit.Allows(number) ? number : throw OutOfRange(limit, value);
    }

    public int? Int32(FieldLimit limit) => (int?)Integer(limit);

    public float? Number(FieldLimit limit)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind != JsonValueKind.Number ? throw WrongType(limit.Name, "a number", value)
            : !limit.Allows(value.GetDouble()) ? throw OutOfRange(limit, value)
            : value.GetSingle();
    }

    public string? Text(FieldLimit limit) => TryGet(limit.Name, out JsonElement value) ? Text(value, limit.Name, limit) : null;

    /// <summary>A text or a list of texts; empty when absent.</summary>
    public IReadOnlyList<string> Texts(FieldLimit limit)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return [];
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return [Text(value, limit.Name, limit)];
        }

        Count(limit, value, "a string or a list of strings");
        string[] texts = new string[value.GetArrayLength()];
        int index = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            texts[index] = Text(item, $"{limit.Name}[{index}]", limit);
            index++;
        }

        return texts;
    }

    /// <summary>A list of token ids; none when absent. Without a vocabulary any 32-bit number passes, for a later check.</summary>
    public IReadOnlyList<int>? TokenIds(FieldLimit limit, int? vocabularySize = null)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return null;
        }

        Count(limit, value, "a list of token ids");
        return TokenIds(value, limit.Name, vocabularySize);
    }

    /// <summary>Ids of a JSON list that was found to be one.</summary>
    public int[] TokenIds(JsonElement list, string name, int? vocabularySize)
    {
        int[] ids = new int[list.GetArrayLength()];
        int index = 0;
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int id))
            {
                // The slow path knows 3.0 and says what is wrong; ids out of 32 bits are out of vocabulary.
                long wide = Integer(item, $"{name}[{index}]", "a token id");
                id = wide is >= int.MinValue and <= int.MaxValue ? (int)wide : throw OutOfVocabulary(wide, $"{name}[{index}]");
            }

            ids[index] = vocabularySize is null || (uint)id < (uint)vocabularySize ? id : throw OutOfVocabulary(id, $"{name}[{index}]");
            index++;
        }

        return ids;
    }

    /// <summary>A JSON list, unless absent.</summary>
    public JsonElement? List(FieldLimit limit)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return null;
        }

        Count(limit, value, "a list");
        return value;
    }

    /// <summary>A JSON object, unless absent.</summary>
    public JsonElement? Object(FieldLimit limit)
    {
        if (!TryGet(limit.Name, out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            throw WrongType(limit.Name, "an object", value);
        }

        int count = value.GetPropertyCount();
        return count <= limit.MaxCount ? value : throw Wrong(limit.Name, $"must have at most {limit.MaxCount} entries, got {count}");
    }

    /// <summary>A text as it stands in the JSON.</summary>
    public string Text(JsonElement value, string name, FieldLimit? limit = null)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw WrongType(name, "a string", value);
        }

        string text;
        try
        {
            text = value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong(name, "is not valid Unicode text: it has half of a surrogate pair or broken UTF-8");
        }

        if (limit is not null && text.Length < limit.MinLength)
        {
            throw Wrong(name, "must not be an empty string");
        }

        return limit is null || text.Length <= limit.MaxLength
            ? text
            : throw Wrong(name, $"must have at most {limit.MaxLength} characters, got {text.Length}");
    }

    /// <summary>A complaint about a field of this object.</summary>
    public RequestValidationException Wrong(string name, string complaint) => new($"{PathOf(name)} {complaint}", PathOf(name));

    public RequestValidationException WrongType(string name, string expected, JsonElement value) =>
        Wrong(name, $"must be {expected}, got {Quote.Json(value)}");

    private RequestValidationException OutOfRange(FieldLimit limit, JsonElement value) =>
        Wrong(limit.Name, $"must be {limit.Range}, got {Quote.Json(value)}");

    private RequestValidationException OutOfVocabulary(long id, string name) =>
        new($"Token id {id} is out of vocabulary", PathOf(name));

    private long Integer(JsonElement value, string name, string expected)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            throw WrongType(name, expected, value);
        }

        if (value.TryGetInt64(out long number))
        {
            return number;
        }

        double real = value.GetDouble();
        return Math.Abs(real) <= MaxExactInteger && Math.Floor(real).Equals(real)
            ? (long)real
            : throw Wrong(name, $"must be {expected} of at most 64 bits, got {Quote.Json(value)}");
    }

    private void Count(FieldLimit limit, JsonElement value, string expected)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            throw WrongType(limit.Name, expected, value);
        }

        int count = value.GetArrayLength();
        if (count > limit.MaxCount)
        {
            throw Wrong(limit.Name, $"must have at most {limit.MaxCount} entries, got {count}");
        }
    }

    private string Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw new RequestValidationException(
                "A field name is not valid Unicode text: it has half of a surrogate pair or broken UTF-8",
                _path.Length == 0 ? null : _path);
        }
    }
}
