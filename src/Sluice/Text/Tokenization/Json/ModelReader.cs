using System.Text;
using System.Text.Json;

namespace Sluice.Text.Tokenization.Json;

/// <summary>
/// Reads the "model" object of a tokenizer.json. Vocabularies and merges are megabytes: they are read token by token into
/// flat arrays, never into a document.
/// </summary>
internal sealed class ModelReader
{
    // Real files leave out a few ids at most; a file that leaves out millions would only make us allocate for them.
    private const int MaximumUnusedIdCount = 1_000_000;

    private readonly List<(int Start, int Length, int Id)> _entries = [];
    private readonly List<double> _scores = [];
    private byte[] _text = new byte[1 << 16];
    private int _textLength;
    private bool _hasVocabulary;

    /// <summary>The small fields, as a document without "vocab" and "merges".</summary>
    public JsonElement Fields { get; private set; }

    /// <summary>Where in the file the merges lie; empty when there are none.</summary>
    public ReadOnlyMemory<byte> Merges { get; private set; }

    /// <summary>Whether the vocabulary is a list of tokens with scores.</summary>
    public bool IsScored { get; private set; }

    public double[] Scores => [.. _scores];

    /// <summary>Reads the object that the reader stands before.</summary>
    public static ModelReader Read(ReadOnlyMemory<byte> file, ref Utf8JsonReader reader)
    {
        var model = new ModelReader();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new FormatException("\"model\" must be an object");
        }

        using var fields = new MemoryStream();
        using (var writer = new Utf8JsonWriter(fields))
        {
            writer.WriteStartObject();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("vocab"u8))
                {
                    reader.Read();
                    model.ReadVocabulary(ref reader);
                }
                else if (reader.ValueTextEquals("merges"u8))
                {
                    reader.Read();
                    int start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    model.Merges = file[start..(int)reader.BytesConsumed];
                }
                else
                {
                    writer.WritePropertyName(reader.GetString()!);
                    reader.Read();
                    JsonElement.ParseValue(ref reader).WriteTo(writer);
                }
            }

            writer.WriteEndObject();
        }

        model.Fields = JsonElement.Parse(fields.GetBuffer().AsSpan(0, (int)fields.Length));
        return model;
    }

    public Vocabulary BuildVocabulary()
    {
        if (!_hasVocabulary)
        {
            throw new FormatException("the model has no \"vocab\"");
        }

        int limit = _entries.Count + MaximumUnusedIdCount;
        foreach ((int start, int length, int id) in _entries)
        {
            if (id >= limit)
            {
                throw new FormatException(
                    $"token \"{Encoding.UTF8.GetString(_text, start, length)}\" has id {id}, far beyond the {_entries.Count} tokens there are");
            }
        }

        return new Vocabulary(_text, _entries, duplicatesAllowed: IsScored);
    }

    private void ReadVocabulary(ref Utf8JsonReader reader)
    {
        if (_hasVocabulary)
        {
            throw new FormatException("the model has \"vocab\" twice");
        }

        _hasVocabulary = true;
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    (int start, int length) = AppendText(ref reader);
                    reader.Read();
                    if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id) || id < 0)
                    {
                        throw new FormatException(
                            $"the id of token \"{Encoding.UTF8.GetString(_text, start, length)}\" must be a whole number from 0 on");
                    }

                    _entries.Add((start, length, id));
                }

                break;
            case JsonTokenType.StartArray:
                IsScored = true;
                while (reader.Read() && reader.TokenType == JsonTokenType.StartArray)
                {
                    ReadScoredToken(ref reader);
                }

                break;
            default:
                throw new FormatException("\"vocab\" must be an object of ids, or a list of tokens with scores");
        }
    }

    private void ReadScoredToken(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
        {
            (int start, int length) = AppendText(ref reader);
            reader.Read();
            if (reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out double score))
            {
                _entries.Add((start, length, _entries.Count));
                _scores.Add(score);
                reader.Read();
                if (reader.TokenType == JsonTokenType.EndArray)
                {
                    return;
                }
            }
        }

        throw new FormatException($"entry {_entries.Count} of \"vocab\" must be a token and its score");
    }

    private (int Start, int Length) AppendText(ref Utf8JsonReader reader)
    {
        int needed = _textLength + reader.ValueSpan.Length;
        if (needed > _text.Length)
        {
            System.Array.Resize(ref _text, Math.Max(needed, _text.Length * 2));
        }

        int start = _textLength;
        int length = reader.CopyString(_text.AsSpan(start));
        _textLength += length;
        return (start, length);
    }
}
