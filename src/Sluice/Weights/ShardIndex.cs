using System.Text.Json;

namespace Sluice.Weights;

/// <summary>Reads model.safetensors.index.json: which file of the folder holds which tensor.</summary>
internal static class ShardIndex
{
    /// <returns>File name by tensor name.</returns>
    public static Dictionary<string, string> Read(string path)
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

        try
        {
            return ReadMap(path, JsonElement.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 16 }));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserErrorException($"{path} is not valid JSON: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static Dictionary<string, string> ReadMap(string path, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("weight_map", out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
        {
            throw new UserErrorException($"{path}: \"weight_map\" is missing; an object of tensor names and file names was expected");
        }

        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            string? file = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
            if (file is null || !IsPlainName(file))
            {
                throw new UserErrorException(
                    $"{path}: tensor {SafetensorsHeader.Quote(entry.Name)} is said to be in "
                    + $"{SafetensorsHeader.Quote(entry.Value.ToString())}; the name of a file in the same folder was expected");
            }

            files.Add(entry.Name, file);
        }

        return files;
    }

    // An index comes with a download and must not name files elsewhere: no separators, no drive, no parent.
    private static bool IsPlainName(string file)
    {
        if (file.Length is 0 or > 255 || file[0] == '.')
        {
            return false;
        }

        foreach (char c in file)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-'))
            {
                return false;
            }
        }

        return true;
    }
}
