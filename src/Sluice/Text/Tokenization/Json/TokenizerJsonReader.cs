using System.Text.Json;
using Sluice.Text.Tokenization.Decoders;
using Sluice.Text.Tokenization.Models;
using Sluice.Text.Tokenization.Normalizers;
using Sluice.Text.Tokenization.PreTokenizers;

namespace Sluice.Text.Tokenization.Json;

/// <summary>Everything that a tokenizer.json says.</summary>
internal sealed record TokenizerParts(
    Vocabulary Vocabulary,
    TokenizerModel Model,
    IReadOnlyList<AddedToken> AddedTokens,
    Normalizer? Normalizer,
    IReadOnlyList<PreTokenizer> PreTokenizers,
    PostProcessor PostProcessor,
    TokenDecoder Decoder);

/// <summary>Reads a tokenizer.json. Whatever is wrong or unsupported is a <see cref="FormatException"/> that names it.</summary>
internal static class TokenizerJsonReader
{
    public static TokenizerParts Read(ReadOnlyMemory<byte> file)
    {
        ReadOnlyMemory<byte> json = file.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? file[3..] : file;
        try
        {
            return ReadParts(json);
        }
        catch (JsonException exception)
        {
            throw new FormatException(
                $"not valid JSON (line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1})", exception);
        }
        catch (InvalidOperationException exception)
        {
            // Utf8JsonReader's way to refuse an escaped lone surrogate.
            throw new FormatException("a string is not valid Unicode", exception);
        }
    }

    private static TokenizerParts ReadParts(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new FormatException("not a JSON object");
        }

        ModelReader? model = null;
        var sections = new Dictionary<string, JsonElement>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("model"u8))
            {
                model = ModelReader.Read(json, ref reader);
                continue;
            }

            string name = reader.GetString()!;
            reader.Read();
            sections[name] = JsonElement.ParseValue(ref reader);
        }

        // The reader throws here if something follows the object.
        reader.Read();
        if (model is null)
        {
            throw new FormatException("there is no \"model\"");
        }

        return Assemble(model, sections);
    }

    private static TokenizerParts Assemble(ModelReader reader, Dictionary<string, JsonElement> sections)
    {
        JsonElement? Section(string name) =>
            sections.TryGetValue(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

        Vocabulary vocabulary = reader.BuildVocabulary();
        List<PreTokenizer> preTokenizers = PreTokenizerFactory.Create(Section("pre_tokenizer"));

        // A BPE model maps bytes to tokens itself, without going through the printable alphabet.
        bool takesBytes = preTokenizers is [.., ByteLevelMapping] && ModelFactory.TypeOf(reader) == "BPE"
            && string.IsNullOrEmpty(reader.Fields.OptionalString("continuing_subword_prefix", "the model"))
            && string.IsNullOrEmpty(reader.Fields.OptionalString("end_of_word_suffix", "the model"));
        if (takesBytes)
        {
            preTokenizers.RemoveAt(preTokenizers.Count - 1);
        }

        return new TokenizerParts(
            vocabulary,
            ModelFactory.Create(reader, vocabulary, takesBytes),
            AddedTokenReader.Read(Section("added_tokens"), vocabulary),
            Section("normalizer") is { } normalizer ? NormalizerFactory.Create(normalizer) : null,
            preTokenizers,
            PostProcessorFactory.Create(Section("post_processor")),
            DecoderFactory.Create(Section("decoder")));
    }
}
