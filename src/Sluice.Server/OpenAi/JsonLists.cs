using System.Text.Json;

namespace Sluice.Server.OpenAi;

/// <summary>Lists of ids in answers.</summary>
internal static class JsonLists
{
    /// <summary>A list of ids, or null for none.</summary>
    public static void WriteIds(Utf8JsonWriter json, IReadOnlyList<int>? ids)
    {
        if (ids is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartArray();
        for (int i = 0; i < ids.Count; i++)
        {
            json.WriteNumberValue(ids[i]);
        }

        json.WriteEndArray();
    }
}
