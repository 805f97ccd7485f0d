using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Sluice.Server.OpenAi;

/// <summary>Puts what a client sent into messages: short, on one line, with control characters escaped.</summary>
internal static class Quote
{
    /// <summary>Most characters of a client's value in a message.</summary>
    public const int MaxLength = 80;

    /// <summary>The value as it stood in the JSON.</summary>
    public static string Json(JsonElement value)
    {
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8Value(value);
        // Four bytes are the most that a character takes, so the cut text never lacks one that would have been shown.
        bool isCut = raw.Length > 4 * MaxLength;
        return Plain(Encoding.UTF8.GetString(isCut ? raw[..(4 * MaxLength)] : raw), MaxLength, isCut);
    }

    /// <summary>The text in double quotes.</summary>
    public static string Text(string value) => $"\"{Plain(value, MaxLength)}\"";

    /// <summary>The text alone.</summary>
    public static string Plain(string value, int maxLength, bool isCut = false)
    {
        StringBuilder quoted = new(Math.Min(value.Length, maxLength) + 8);
        foreach (Rune rune in value.EnumerateRunes())
        {
            if (quoted.Length >= maxLength)
            {
                isCut = true;
                break;
            }

            if (Rune.IsControl(rune) || IsInvisible(rune))
            {
                quoted.Append($"\\u{rune.Value:x4}");
            }
            else
            {
                quoted.Append(rune.ToString());
            }
        }

        return isCut ? quoted.Append("...").ToString() : quoted.ToString();
    }

    /// <summary>What a JSON value is, in words.</summary>
    public static string Kind(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    // Line and paragraph separators and the marks that reorder text would garble a log.
    private static bool IsInvisible(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.Format
            or System.Globalization.UnicodeCategory.LineSeparator
            or System.Globalization.UnicodeCategory.ParagraphSeparator;
}
