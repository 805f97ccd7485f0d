using System.Text.Json;

namespace Sluice.Server.Tests.Support;

/// <summary>Short ways through answers.</summary>
internal static class JsonExtensions
{
    /// <summary>The value at a path such as <c>choices.0.message.content</c>.</summary>
    public static JsonElement At(this JsonElement value, string path)
    {
        foreach (string part in path.Split('.'))
        {
            value = value.ValueKind == JsonValueKind.Array ? value[int.Parse(part)] : value.GetProperty(part);
        }

        return value;
    }

    public static string? TextAt(this JsonElement value, string path) => value.At(path).GetString();

    public static int IntAt(this JsonElement value, string path) => value.At(path).GetInt32();

    public static bool IsNullAt(this JsonElement value, string path) => value.At(path).ValueKind == JsonValueKind.Null;

    public static int[] IntsAt(this JsonElement value, string path) => [.. value.At(path).EnumerateArray().Select(static item => item.GetInt32())];

    public static string[] NamesOf(this JsonElement value) => [.. value.EnumerateObject().Select(static property => property.Name)];
}
