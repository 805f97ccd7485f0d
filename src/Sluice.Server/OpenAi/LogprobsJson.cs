using System.Globalization;
using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>Writes logprobs in the three shapes that clients know.</summary>
internal static class LogprobsJson
{
    // JSON has no infinity; vLLM writes this for a token that could not have come.
    private const float Least = -9999;

    /// <summary>The shape of chats: <c>{"content":[{"token","logprob","bytes","top_logprobs"}]}</c>.</summary>
    public static void WriteChat(Utf8JsonWriter json, IReadOnlyList<PositionLogprobs> positions, int topCount, TokenNames names)
    {
        json.WriteStartObject();
        json.WriteStartArray("content"u8);
        for (int i = 0; i < positions.Count; i++)
        {
            PositionLogprobs position = positions[i];
            json.WriteStartObject();
            WriteChatToken(json, position.Chosen, names);
            json.WriteStartArray("top_logprobs"u8);
            int count = topCount < 0 ? position.Top.Count : Math.Min(topCount, position.Top.Count);
            for (int rank = 0; rank < count; rank++)
            {
                json.WriteStartObject();
                WriteChatToken(json, position.Top[rank], names);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The shape of completions: four lists side by side.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="tokenIds">The tokens.</param>
    /// <param name="positions">One for each token; null where nothing came before it.</param>
    /// <param name="topCount">Entries beside the token's own; -1 for all.</param>
    /// <param name="names">How tokens are written.</param>
    /// <param name="textOffset">Code points before the first token.</param>
    /// <returns>Code points up to the end of the last token.</returns>
    public static int WriteCompletion(
        Utf8JsonWriter json,
        IReadOnlyList<int> tokenIds,
        IReadOnlyList<PositionLogprobs?> positions,
        int topCount,
        TokenNames names,
        int textOffset)
    {
        json.WriteStartObject();
        json.WriteStartArray("text_offset"u8);
        for (int i = 0; i < tokenIds.Count; i++)
        {
            json.WriteNumberValue(textOffset);
            textOffset += names.LengthOf(tokenIds[i]);
        }

        json.WriteEndArray();
        json.WriteStartArray("token_logprobs"u8);
        for (int i = 0; i < tokenIds.Count; i++)
        {
            if (positions[i] is { } position)
            {
                json.WriteNumberValue(Finite(position.Chosen.Logprob));
            }
            else
            {
                json.WriteNullValue();
            }
        }

        json.WriteEndArray();
        json.WriteStartArray("tokens"u8);
        for (int i = 0; i < tokenIds.Count; i++)
        {
            json.WriteStringValue(names.NameOf(tokenIds[i]));
        }

        json.WriteEndArray();
        json.WriteStartArray("top_logprobs"u8);
        for (int i = 0; i < tokenIds.Count; i++)
        {
            WriteTop(json, positions[i], topCount, names);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        return textOffset;
    }

    /// <summary>The shape of prompts: for each token null or <c>{"id":{"logprob","rank","decoded_token"}}</c>.</summary>
    public static void WritePrompt(Utf8JsonWriter json, IReadOnlyList<PositionLogprobs?>? positions, TokenNames names)
    {
        if (positions is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartArray();
        for (int i = 0; i < positions.Count; i++)
        {
            if (positions[i] is not { } position)
            {
                json.WriteNullValue();
                continue;
            }

            json.WriteStartObject();
            WritePromptToken(json, position.Chosen, names);
            for (int rank = 0; rank < position.Top.Count; rank++)
            {
                if (position.Top[rank].TokenId != position.Chosen.TokenId)
                {
                    WritePromptToken(json, position.Top[rank], names);
                }
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteChatToken(Utf8JsonWriter json, TokenLogprob token, TokenNames names)
    {
        json.WriteString("token"u8, names.NameOf(token.TokenId));
        json.WriteNumber("logprob"u8, Finite(token.Logprob));
        json.WriteStartArray("bytes"u8);
        foreach (byte value in names.BytesOf(token.TokenId))
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }

    private static void WriteTop(Utf8JsonWriter json, PositionLogprobs? position, int topCount, TokenNames names)
    {
        if (position is null)
        {
            json.WriteNullValue();
            return;
        }

        // Different tokens may read the same (halves of characters do): the first, which is the likeliest, stands for all.
        HashSet<string> written = new(StringComparer.Ordinal);
        json.WriteStartObject();
        string chosen = names.NameOf(position.Chosen.TokenId);
        written.Add(chosen);
        json.WriteNumber(chosen, Finite(position.Chosen.Logprob));
        int count = topCount < 0 ? position.Top.Count : Math.Min(topCount, position.Top.Count);
        for (int rank = 0; rank < count; rank++)
        {
            string name = names.NameOf(position.Top[rank].TokenId);
            if (written.Add(name))
            {
                json.WriteNumber(name, Finite(position.Top[rank].Logprob));
            }
        }

        json.WriteEndObject();
    }

    private static void WritePromptToken(Utf8JsonWriter json, TokenLogprob token, TokenNames names)
    {
        json.WriteStartObject(token.TokenId.ToString(CultureInfo.InvariantCulture));
        json.WriteNumber("logprob"u8, Finite(token.Logprob));
        json.WriteNumber("rank"u8, token.Rank);
        json.WriteString("decoded_token"u8, names.TextOf(token.TokenId));
        json.WriteEndObject();
    }

    // Not-a-number fails the comparison and becomes the least too.
    private static float Finite(float logprob) => logprob > Least ? logprob : Least;
}
