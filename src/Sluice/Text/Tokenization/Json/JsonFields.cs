using System.Text.Json;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Typed access to the fields of a tokenizer.json object; what does not fit is a <see cref="FormatException"/> that names it.</summary>
internal static class JsonFields
{
    public static JsonElement Required(this JsonElement parent, string name, string where) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value)
            ? value
            : throw new FormatException($"{where} has no \"{name}\"");

    /// <summary>The field; null when it is absent or null.</summary>
    public static JsonElement? Optional(this JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value)
        && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    public static string RequiredString(this JsonElement parent, string name, string where) =>
        AsString(parent.Required(name, where), name, where);

    public static string? OptionalString(this JsonElement parent, string name, string where) =>
        parent.Optional(name) is { } value ? AsString(value, name, where) : null;

    public static bool Boolean(this JsonElement parent, string name, bool fallback, string where) =>
        parent.Optional(name) is not { } value ? fallback
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw new FormatException($"\"{name}\" of {where} must be true or false");

    public static int Integer(this JsonElement parent, string name, int? fallback, string where)
    {
        if (parent.Optional(name) is not { } value)
        {
            return fallback ?? throw new FormatException($"{where} has no \"{name}\"");
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 0
            ? number
            : throw new FormatException($"\"{name}\" of {where} must be a whole number from 0 on");
    }

    public static IEnumerable<JsonElement> Array(this JsonElement parent, string name, string where)
    {
        JsonElement value = parent.Required(name, where);
        return value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray()
            : throw new FormatException($"\"{name}\" of {where} must be a list");
    }

    public static string AsString(JsonElement value, string name, string where)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            throw new FormatException($"\"{name}\" of {where} must be a string");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new FormatException($"\"{name}\" of {where} is not valid Unicode");
        }
    }
}
