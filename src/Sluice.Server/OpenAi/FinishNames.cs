using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>Writes why a choice ended.</summary>
internal static class FinishNames
{
    public static string? Of(FinishReason? reason) => reason switch
    {
        null => null,
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Abort => "abort",
        _ => "error",
    };

    /// <summary>The stop string or the stop token's id; null for an end-of-sequence token.</summary>
    public static void WriteStopReason(Utf8JsonWriter json, TextOutput? last)
    {
        if (last?.StopString is { } text)
        {
            json.WriteStringValue(text);
        }
        else if (last?.StopTokenId is int id)
        {
            json.WriteNumberValue(id);
        }
        else
        {
            json.WriteNullValue();
        }
    }
}
