using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sluice.Server.OpenAi;

/// <summary>
/// Generated serializers of the small answers; nulls are written, as vLLM does. Completions and chats are written by hand
/// (<see cref="Streaming.SseWriter"/> and the writers beside it), for they share their parts with the stream.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, GenerationMode = JsonSourceGenerationMode.Default)]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ModelCard))]
[JsonSerializable(typeof(TokenizeAnswer))]
[JsonSerializable(typeof(DetokenizeAnswer))]
[JsonSerializable(typeof(VersionAnswer))]
[JsonSerializable(typeof(LoadAnswer))]
internal sealed partial class WireJson : JsonSerializerContext
{
    /// <summary>Text goes out as UTF-8, not as \u escapes; the answers are JSON, never part of an HTML page.</summary>
    public static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static WireJson Readable { get; } = new(
        new JsonSerializerOptions { Encoder = WriterOptions.Encoder, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower });
}
