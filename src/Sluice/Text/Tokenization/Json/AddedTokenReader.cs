using System.Text.Json;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Reads the added tokens and checks their ids against the vocabulary.</summary>
internal static class AddedTokenReader
{
    // As for the vocabulary: no real file leaves a gap like this.
    private const int MaximumGap = 1_000_000;

    public static List<AddedToken> Read(JsonElement? element, Vocabulary vocabulary)
    {
        List<AddedToken> tokens = [];
        if (element is not { } list)
        {
            return tokens;
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw new FormatException("\"added_tokens\" must be a list");
        }

        var contents = new Dictionary<int, string>();
        var ids = new Dictionary<string, int>();
        foreach (JsonElement entry in list.EnumerateArray())
        {
            string content = entry.RequiredString("content", "an added token");
            string where = $"the added token \"{content}\"";
            int id = entry.Integer("id", null, where);
            if (content.Length == 0)
            {
                continue;
            }

            // A token that the model has keeps the model's id.
            if (vocabulary.TryGetId(content, out int modelId))
            {
                id = modelId;
            }
            else if (vocabulary.Contains(id))
            {
                throw new FormatException($"{where} has id {id}, which is \"{vocabulary.TokenText(id)}\" in the vocabulary");
            }
            else if (id >= vocabulary.Size + list.GetArrayLength() + MaximumGap)
            {
                throw new FormatException($"{where} has id {id}, out of range for a vocabulary of {vocabulary.Size} tokens");
            }

            if (contents.TryGetValue(id, out string? other))
            {
                throw new FormatException($"the added tokens \"{other}\" and \"{content}\" have the same id {id}");
            }

            if (!ids.TryAdd(content, id))
            {
                throw new FormatException($"{where} has two ids, {ids[content]} and {id}");
            }

            contents[id] = content;
            tokens.Add(new AddedToken(
                id,
                content,
                entry.Boolean("special", false, where),
                entry.Boolean("single_word", false, where),
                entry.Boolean("lstrip", false, where),
                entry.Boolean("rstrip", false, where),
                entry.Boolean("normalized", true, where)));
        }

        return tokens;
    }
}
