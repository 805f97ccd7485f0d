using System.Buffers;
using System.Text.Json;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>The bytes with which every chunk of a stream begins; made once a request.</summary>
internal static class ChunkHead
{
    /// <returns><c>data: {"id":…,"object":…,"created":…,"model":…,"choices":[</c></returns>
    public static byte[] Of(string id, string kind, long created, string model)
    {
        ArrayBufferWriter<byte> head = new(256);
        head.Write("data: "u8);
        using (Utf8JsonWriter json = new(head, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("id"u8, id);
            json.WriteString("object"u8, kind);
            json.WriteNumber("created"u8, created);
            json.WriteString("model"u8, model);
            json.WritePropertyName("choices"u8);
            json.WriteStartArray();
        }

        return head.WrittenSpan.ToArray();
    }
}
