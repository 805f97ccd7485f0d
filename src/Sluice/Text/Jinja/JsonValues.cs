using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Sluice.Text.Jinja;

/// <summary>JSON of the client as template values, every string marked as the client's.</summary>
internal static class JsonValues
{
    /// <summary>Deeper JSON is refused: templates recurse over it.</summary>
    private const int MaxDepth = 100;

    /// <summary>A role or a switch such as "user" or "high": too plain to hold a special token.</summary>
    private const int MaxPlainWordLength = 64;

    public static Value Convert(JsonElement element, string path)
    {
        return Convert(element, path, Origin.Client, 0);
    }

    public static Value Convert(JsonElement element, string path, Origin origin, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new ChatTemplateException($"{path} is nested deeper than {MaxDepth} levels") { Parameter = path };
        }

        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                return new Value(new TrackedString(ReadString(element, path), origin));
            case JsonValueKind.Number:
                return ConvertNumber(element);
            case JsonValueKind.True:
                return Value.True;
            case JsonValueKind.False:
                return Value.False;
            case JsonValueKind.Array:
                List<Value> items = new(element.GetArrayLength());
                foreach (JsonElement item in element.EnumerateArray())
                {
                    items.Add(Convert(item, path, origin, depth + 1));
                }

                return Value.FromList(items, fromClient: true);
            case JsonValueKind.Object:
                DictValue dict = new(fromClient: true);
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    dict.Entries[Value.FromString(ReadName(property, path), Origin.Client)] = Convert(property.Value, path, origin, depth + 1);
                }

                return new Value(dict);
            default:
                return Value.None;
        }
    }

    /// <summary>
    /// The string with the template's origin if it is one plain word, for values that templates build control tokens
    /// from (<c>'&lt;|' + message.role + '|&gt;'</c>); anything else stays the client's.
    /// </summary>
    public static Value ConvertWord(JsonElement element, string path)
    {
        if (element.ValueKind != JsonValueKind.String)
        {
            return Convert(element, path);
        }

        string text = ReadString(element, path);
        bool isPlain = text.Length <= MaxPlainWordLength
            && text.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.' or ' ');
        return Value.FromString(text, isPlain ? Origin.Template : Origin.Client);
    }

    public static string ReadString(JsonElement element, string path)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new ChatTemplateException($"{path} holds text that is not valid Unicode") { Parameter = path };
        }
    }

    private static string ReadName(JsonProperty property, string path)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw new ChatTemplateException($"{path} holds a name that is not valid Unicode") { Parameter = path };
        }
    }

    private static Value ConvertNumber(JsonElement element)
    {
        if (element.TryGetInt64(out long integer))
        {
            return Value.FromInteger(integer);
        }

        string text = element.GetRawText();
        return text.AsSpan().IndexOfAny('.', 'e', 'E') < 0 && text.Length < 400
            ? new Value(BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture))
            : Value.FromFloat(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
    }
}
