using System.Text.Json;

namespace Sluice.Cli.Benchmarks;

/// <summary>Writes the JSON that vLLM's scripts read.</summary>
internal static class ResultFile
{
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public static void Write(string path, Action<Utf8JsonWriter> members)
    {
        try
        {
            using FileStream stream = File.Create(path);
            using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, IndentSize = 4 });
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--output-json {path} cannot be written: {exception.Message}");
        }
    }
}
