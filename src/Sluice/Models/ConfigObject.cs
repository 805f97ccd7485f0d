using System.Globalization;
using System.Text.Json;

namespace Sluice.Models;

/// <summary>
/// A JSON object of a configuration file seen through layers: what the user overrides, the file, and the defaults of the family.
/// The first layer that has a name decides, also when its value is null. Errors name the file, the key and what was expected.
/// </summary>
internal sealed class ConfigObject
{
    private readonly string _where;
    private readonly JsonElement? _overrides;
    private readonly JsonElement[] _layers;

    private ConfigObject(string where, JsonElement? overrides, params JsonElement[] layers)
    {
        _where = where;
        _overrides = overrides;
        _layers = layers;
    }

    /// <summary>Reads a file that holds one JSON object.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overrides">A JSON object whose keys win over the file's, or none.</param>
    /// <param name="overridesName">The option that the overrides came from, for errors.</param>
    public static ConfigObject ReadFile(string path, string? overrides, string overridesName)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message}");
        }

        JsonElement file = ParseObject(bytes, path);
        return new ConfigObject(path, ParseOverrides(overrides, overridesName), file);
    }

    /// <summary>An object that has only what the user overrides.</summary>
    public static ConfigObject FromOverrides(string? overrides, string overridesName) =>
        new(overridesName, ParseOverrides(overrides, overridesName));

    /// <summary>The same object with values for names that no other layer has.</summary>
    public ConfigObject WithDefaults(string json) =>
        new(_where, _overrides, [.. _layers, JsonElement.Parse(json)]);

    /// <summary>The object under a name as first layer, this one behind it: how nested text configurations inherit.</summary>
    public ConfigObject Descend(string name)
    {
        JsonElement? nestedOverrides = null;
        if (_overrides is { } all && all.TryGetProperty(name, out JsonElement mine) && mine.ValueKind == JsonValueKind.Object)
        {
            nestedOverrides = mine;
        }

        foreach (JsonElement layer in _layers)
        {
            if (layer.TryGetProperty(name, out JsonElement nested) && nested.ValueKind == JsonValueKind.Object)
            {
                return new ConfigObject(_where, nestedOverrides ?? _overrides, [nested, .. _layers]);
            }
        }

        return this;
    }

    /// <summary>True when the user overrides this name.</summary>
    public bool IsOverridden(string name) => _overrides is { } overrides && overrides.TryGetProperty(name, out _);

    /// <summary>Names of the first layer.</summary>
    public IEnumerable<string> Names() => _layers[0].EnumerateObject().Select(static member => member.Name);

    public bool Has(string name) => Find(name) is not null;

    public ConfigObject? Object(string name)
    {
        if (Find(name) is not { } element)
        {
            return null;
        }

        return element.ValueKind == JsonValueKind.Object
            ? new ConfigObject($"{_where}: \"{name}\"", null, element)
            : throw Wrong(name, element, "an object");
    }

    public string? Text(string name)
    {
        if (Find(name) is not { } element)
        {
            return null;
        }

        return element.ValueKind == JsonValueKind.String ? TextOf(name, element) : throw Wrong(name, element, "a string");
    }

    public IReadOnlyList<string>? Texts(string name)
    {
        if (Find(name) is not { } element)
        {
            return null;
        }

        if (element.ValueKind != JsonValueKind.Array)
        {
            throw Wrong(name, element, "a list of strings");
        }

        var texts = new List<string>(element.GetArrayLength());
        foreach (JsonElement item in element.EnumerateArray())
        {
            texts.Add(item.ValueKind == JsonValueKind.String ? TextOf(name, item) : throw Wrong(name, item, "a list of strings"));
        }

        return texts;
    }

    public bool? Flag(string name)
    {
        if (Find(name) is not { } element)
        {
            return null;
        }

        return element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, element, "true or false"),
        };
    }

    public double? Number(string name) => Find(name) is { } element ? NumberOf(name, element, "a number") : null;

    public IReadOnlyList<double>? Numbers(string name)
    {
        if (Find(name) is not { } element)
        {
            return null;
        }

        if (element.ValueKind != JsonValueKind.Array)
        {
            throw Wrong(name, element, "a list of numbers");
        }

        var numbers = new List<double>(element.GetArrayLength());
        foreach (JsonElement item in element.EnumerateArray())
        {
            numbers.Add(NumberOf(name, item, "a list of numbers"));
        }

        return numbers;
    }

    public int? Integer(string name) => Find(name) is { } element ? IntegerOf(name, element, "an integer") : null;

    /// <summary>One integer or a list of them; empty when absent.</summary>
    public IReadOnlyList<int> Integers(string name)
    {
        if (Find(name) is not { } element)
        {
            return [];
        }

        if (element.ValueKind != JsonValueKind.Array)
        {
            return [IntegerOf(name, element, "an integer or a list of integers")];
        }

        var integers = new List<int>(element.GetArrayLength());
        foreach (JsonElement item in element.EnumerateArray())
        {
            integers.Add(IntegerOf(name, item, "an integer or a list of integers"));
        }

        return integers;
    }

    /// <summary>An integer that must be there and in a range.</summary>
    public int Required(string name, int minimum, int maximum)
    {
        int value = Integer(name) ?? throw new UserErrorException($"{_where}: \"{name}\" is missing");
        return value >= minimum && value <= maximum ? value : throw OutOfRange(name, value, minimum, maximum);
    }

    /// <summary>An integer in a range, when it is there.</summary>
    public int? Optional(string name, int minimum, int maximum)
    {
        int? value = Integer(name);
        return value is not { } given || (given >= minimum && given <= maximum)
            ? value
            : throw OutOfRange(name, given, minimum, maximum);
    }

    /// <summary>A finite number over 0, when it is there.</summary>
    public double? Positive(string name)
    {
        double? value = Number(name);
        return value is not { } given || (given > 0 && double.IsFinite(given))
            ? value
            : throw Error($"\"{name}\" is {given.ToString(CultureInfo.InvariantCulture)}; a number over 0 was expected");
    }

    /// <summary>An error about this object, with the file in front.</summary>
    public UserErrorException Error(string message) => new($"{_where}: {message}");

    private UserErrorException OutOfRange(string name, int value, int minimum, int maximum) =>
        Error($"\"{name}\" is {value}; {minimum} to {maximum} was expected");

    private UserErrorException Wrong(string name, JsonElement element, string expected)
    {
        string found = element.GetRawText();
        return Error($"\"{name}\" is {(found.Length <= 60 ? found.ReplaceLineEndings(" ") : element.ValueKind.ToString())}; "
            + $"{expected} was expected");
    }

    private JsonElement? Find(string name)
    {
        if (_overrides is { } overrides && overrides.TryGetProperty(name, out JsonElement overridden))
        {
            return overridden.ValueKind == JsonValueKind.Null ? null : overridden;
        }

        foreach (JsonElement layer in _layers)
        {
            if (layer.TryGetProperty(name, out JsonElement element))
            {
                return element.ValueKind == JsonValueKind.Null ? null : element;
            }
        }

        return null;
    }

    private string TextOf(string name, JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate in an escape.
            throw Error($"\"{name}\" is not a valid string");
        }
    }

    private double NumberOf(string name, JsonElement element, string expected) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value)
            ? value
            : throw Wrong(name, element, expected);

    private int IntegerOf(string name, JsonElement element, string expected)
    {
        double value = NumberOf(name, element, expected);
        return value == Math.Floor(value) && Math.Abs(value) <= int.MaxValue ? (int)value : throw Wrong(name, element, expected);
    }

    private static JsonElement? ParseOverrides(string? overrides, string name) =>
        overrides is null ? null : ParseObject(System.Text.Encoding.UTF8.GetBytes(overrides), name);

    private static JsonElement ParseObject(byte[] bytes, string where)
    {
        ReadOnlySpan<byte> content = bytes;
        ReadOnlySpan<byte> byteOrderMark = [0xEF, 0xBB, 0xBF];
        if (content.StartsWith(byteOrderMark))
        {
            content = content[3..];
        }

        try
        {
            JsonElement root = JsonElement.Parse(content, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 64 });
            return root.ValueKind == JsonValueKind.Object
                ? root
                : throw new UserErrorException($"{where}: a JSON object was expected, found "
                    + $"{root.ValueKind.ToString().ToLowerInvariant()}");
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{where} is not valid JSON: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}
