using System.Text;
using System.Text.Json;
using Sluice.Text.Tokenization.Models;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Makes the model that a tokenizer.json describes.</summary>
internal static class ModelFactory
{
    private const string Where = "the model";

    /// <param name="reader">The model's object.</param>
    /// <param name="vocabulary">Its vocabulary.</param>
    /// <param name="takesBytes">Whether the last pre-tokenizer is byte-level; a BPE model then maps the bytes itself.</param>
    public static TokenizerModel Create(ModelReader reader, Vocabulary vocabulary, bool takesBytes)
    {
        JsonElement fields = reader.Fields;
        string type = TypeOf(reader);
        if ((type == "Unigram") != reader.IsScored)
        {
            throw new FormatException($"\"vocab\" does not have the form of a {type} model");
        }

        return type switch
        {
            "BPE" => CreateBpe(reader, vocabulary, takesBytes),
            "Unigram" => CreateUnigram(reader, vocabulary),
            "WordPiece" => new WordPieceModel(
                vocabulary,
                RequiredId(vocabulary, fields.OptionalString("unk_token", Where) ?? "[UNK]"),
                fields.OptionalString("continuing_subword_prefix", Where) ?? "##",
                fields.Integer("max_input_chars_per_word", 100, Where),
                new HashSet<int>()),
            "WordLevel" => new WordLevelModel(
                vocabulary, RequiredId(vocabulary, fields.OptionalString("unk_token", Where) ?? "<unk>"), new HashSet<int>()),
            _ => throw new FormatException($"model type \"{type}\" is not supported (BPE, Unigram, WordPiece and WordLevel are)"),
        };
    }

    /// <summary>The type; files from before 2020 do not name it.</summary>
    public static string TypeOf(ModelReader reader) =>
        reader.Fields.OptionalString("type", Where)
        ?? (!reader.Merges.IsEmpty ? "BPE" : reader.IsScored ? "Unigram"
            : reader.Fields.Optional("max_input_chars_per_word") is not null ? "WordPiece" : "WordLevel");

    private static int RequiredId(Vocabulary vocabulary, string token) =>
        vocabulary.TryGetId(token, out int id)
            ? id
            : throw new FormatException($"the unknown token \"{token}\" is not in the vocabulary");

    private static BpeModel CreateBpe(ModelReader reader, Vocabulary vocabulary, bool takesBytes)
    {
        JsonElement fields = reader.Fields;
        string prefix = fields.OptionalString("continuing_subword_prefix", Where) ?? "";
        var options = new BpeOptions
        {
            UnknownId = fields.OptionalString("unk_token", Where) is { } unknown ? RequiredId(vocabulary, unknown) : -1,
            FuseUnknown = fields.Boolean("fuse_unk", false, Where),
            ByteFallback = fields.Boolean("byte_fallback", false, Where),
            IgnoreMerges = fields.Boolean("ignore_merges", false, Where),
            ContinuingSubwordPrefix = prefix,
            EndOfWordSuffix = fields.OptionalString("end_of_word_suffix", Where) ?? "",
            ByteLevel = takesBytes,
        };
        if (reader.Merges.IsEmpty)
        {
            throw new FormatException("the BPE model has no \"merges\"");
        }

        return new BpeModel(vocabulary, ReadMerges(reader.Merges.Span, vocabulary, Encoding.UTF8.GetByteCount(prefix)), options);
    }

    private static UnigramModel CreateUnigram(ModelReader reader, Vocabulary vocabulary)
    {
        int unknownId = reader.Fields.Optional("unk_id") is null ? -1 : reader.Fields.Integer("unk_id", null, Where);
        bool byteFallback = reader.Fields.Boolean("byte_fallback", false, Where);
        if (unknownId >= vocabulary.Size)
        {
            throw new FormatException($"\"unk_id\" {unknownId} is not below the vocabulary size {vocabulary.Size}");
        }

        for (int value = 0; value < 256 && unknownId < 0; value++)
        {
            if (!byteFallback || !vocabulary.TryGetId($"<0x{value:X2}>", out _))
            {
                throw new FormatException("the Unigram model needs an \"unk_id\", or a byte fallback for every byte");
            }
        }

        return new UnigramModel(vocabulary, reader.Scores, unknownId, byteFallback);
    }

    /// <summary>Merges are pairs of strings, or in older files one string with a space between the two.</summary>
    private static MergeTable ReadMerges(ReadOnlySpan<byte> json, Vocabulary vocabulary, int prefixLength)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new FormatException("\"merges\" must be a list");
        }

        var table = new MergeTable(vocabulary.Size);
        byte[] buffer = new byte[256];
        int rank = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            int leftLength;
            int rightStart;
            int length;
            if (reader.TokenType == JsonTokenType.String)
            {
                length = Copy(ref reader, ref buffer, 0);
                leftLength = buffer.AsSpan(0, length).IndexOf((byte)' ');
                rightStart = leftLength + 1;
                if (leftLength < 0 || buffer.AsSpan(rightStart, length - rightStart).Contains((byte)' '))
                {
                    throw new FormatException($"merge {rank} is not two tokens with one space between them");
                }
            }
            else
            {
                bool isPair = reader.TokenType == JsonTokenType.StartArray && reader.Read() && reader.TokenType == JsonTokenType.String;
                leftLength = isPair ? Copy(ref reader, ref buffer, 0) : 0;
                isPair = isPair && reader.Read() && reader.TokenType == JsonTokenType.String;
                length = isPair ? Copy(ref reader, ref buffer, leftLength) : 0;
                rightStart = leftLength;
                if (!isPair || !reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                {
                    throw new FormatException($"merge {rank} is not a pair of tokens");
                }
            }

            AddMerge(table, vocabulary, buffer.AsSpan(0, length), leftLength, rightStart, prefixLength, rank++);
        }

        return table;
    }

    private static int Copy(ref Utf8JsonReader reader, ref byte[] buffer, int start)
    {
        int needed = start + reader.ValueSpan.Length;
        if (needed > buffer.Length)
        {
            Array.Resize(ref buffer, needed * 2);
        }

        return start + reader.CopyString(buffer.AsSpan(start));
    }

    private static void AddMerge(
        MergeTable table, Vocabulary vocabulary, Span<byte> pair, int leftLength, int rightStart, int prefixLength, int rank)
    {
        int left = IdOf(vocabulary, pair[..leftLength], rank);
        int right = IdOf(vocabulary, pair[rightStart..], rank);

        // The merged token leaves out the right one's continuation mark. The right part moves left over it.
        Span<byte> tail = pair[Math.Min(pair.Length, rightStart + prefixLength)..];
        tail.CopyTo(pair[leftLength..]);
        table.Set(left, right, rank, IdOf(vocabulary, pair[..(leftLength + tail.Length)], rank));
    }

    private static int IdOf(Vocabulary vocabulary, ReadOnlySpan<byte> token, int rank) =>
        vocabulary.TryGetId(token, out int id)
            ? id
            : throw new FormatException($"merge {rank} names \"{Encoding.UTF8.GetString(token)}\", which is not in the vocabulary");
}
