using System.Text;
using Sluice.Text.Tokenization;
using Sluice.Text.Tokenization.Decoders;
using Sluice.Text.Tokenization.Json;

namespace Sluice.Text;

/// <summary>
/// Text to token ids and back, as a Hugging Face <c>tokenizer.json</c> says. Gives the ids of the Rust library; time is
/// linear in the text (n log n within one word). Thread-safe.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerParts _parts;
    private readonly TextEncoder _encoder;
    private readonly Dictionary<int, AddedToken> _addedTokens;
    private readonly Dictionary<string, int> _addedIds;
    private readonly string?[] _tokenTexts;
    private readonly byte[]?[] _tokenBytes;
    private readonly Lazy<int> _longestToken;

    private Tokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _encoder = new TextEncoder(parts);
        _addedTokens = parts.AddedTokens.ToDictionary(static token => token.Id);
        _addedIds = parts.AddedTokens.ToDictionary(static token => token.Content, static token => token.Id);
        int size = parts.Vocabulary.Size;
        foreach (AddedToken token in parts.AddedTokens)
        {
            size = Math.Max(size, token.Id + 1);
        }

        VocabularySize = size;
        _longestToken = new Lazy<int>(FindLongestToken);
        _tokenTexts = new string?[size];
        _tokenBytes = new byte[]?[size];
    }

    /// <summary>The largest token id plus one; a few smaller ids may be unused.</summary>
    public int VocabularySize { get; }

    /// <summary>No token adds more bytes than this to a text: what bounds a text's length by its token count.</summary>
    public int LongestTokenByteCount => _longestToken.Value;

    internal TokenDecoder Decoder => _parts.Decoder;

    /// <summary>
    /// Loads a tokenizer.json file, and from a <c>tokenizer_config.json</c> beside it whether the begin and end tokens are
    /// put around a text where the tokenizer class decides that (see <see cref="TokenizerConfig"/>).
    /// </summary>
    /// <exception cref="UserErrorException">A file cannot be read, is damaged, or uses something that is not supported.</exception>
    public static Tokenizer Load(string tokenizerJsonPath)
    {
        byte[] file = ReadFile(tokenizerJsonPath);
        TokenizerParts parts = ReadParts(file, tokenizerJsonPath);
        string configPath = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(tokenizerJsonPath))!, "tokenizer_config.json");
        if (File.Exists(configPath))
        {
            parts = Wrap(configPath, () => TokenizerConfig.Apply(parts, ReadFile(configPath)));
        }

        return Wrap(tokenizerJsonPath, () => new Tokenizer(parts));
    }

    /// <summary>Reads the contents of a tokenizer.json, and nothing else.</summary>
    /// <param name="tokenizerJsonUtf8">The file's bytes.</param>
    /// <param name="sourceName">What errors call the file.</param>
    /// <exception cref="UserErrorException">The file is damaged, or uses something that is not supported.</exception>
    public static Tokenizer Parse(ReadOnlySpan<byte> tokenizerJsonUtf8, string sourceName)
    {
        TokenizerParts parts = ReadParts(tokenizerJsonUtf8.ToArray(), sourceName);
        return Wrap(sourceName, () => new Tokenizer(parts));
    }

    /// <summary>The ids of a text. The text of a special token in it becomes that token.</summary>
    /// <param name="text">Any text; lone surrogates count as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether the tokens that the tokenizer puts around a text (such as a begin token) are added.</param>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode(text, addSpecialTokens, literal: null);
    }

    /// <summary>
    /// The ids of a text in which some parts are not trusted: the text of a special token that touches such a part stays
    /// text. All other ids are those of the whole text.
    /// </summary>
    /// <param name="text">Any text; lone surrogates count as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether the tokens that the tokenizer puts around a text are added.</param>
    /// <param name="literalSpans">The parts, in any order; they may touch and overlap.</param>
    public int[] Encode(string text, bool addSpecialTokens, IReadOnlyList<TextSpan> literalSpans)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(literalSpans);
        var literal = new LiteralSpans(literalSpans, text.Length);
        return Encode(text, addSpecialTokens, literal.IsEmpty ? null : literal);
    }

    /// <summary>The text of a sequence of ids; ids outside the vocabulary are left out.</summary>
    /// <param name="ids">The token ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        if (_parts.Decoder.IsByteLevel)
        {
            return DecodeBytes(ids, skipSpecialTokens);
        }

        DecoderStream stream = _parts.Decoder.Open(streaming: false);
        foreach (int id in ids)
        {
            if (IsDecoded(id, skipSpecialTokens))
            {
                stream.Push(TokenText(id));
            }
        }

        stream.Finish();
        return stream.TakeText();
    }

    /// <summary>Whether an id is a special token, such as the end of a turn.</summary>
    public bool IsSpecial(int id) => _addedTokens.TryGetValue(id, out AddedToken? token) && token.Special;

    /// <summary>The id of a token by its raw vocabulary text; null when there is none.</summary>
    public int? TokenId(string tokenText) =>
        _addedIds.TryGetValue(tokenText, out int id) || _parts.Vocabulary.TryGetId(tokenText, out id) ? id : null;

    /// <summary>A token's raw vocabulary text, such as "Ġthe" or "▁the"; empty for an unused id.</summary>
    public string TokenText(int id)
    {
        if ((uint)id >= (uint)_tokenTexts.Length)
        {
            return "";
        }

        return _tokenTexts[id] ??= _addedTokens.TryGetValue(id, out AddedToken? token)
            ? token.Content
            : _parts.Vocabulary.TokenText(id);
    }

    /// <summary>
    /// The text of one token as it stands in the middle of a text, with its leading space; bytes that are no character by
    /// themselves are U+FFFD.
    /// </summary>
    public string DecodeToken(int id) => Encoding.UTF8.GetString(TokenBytes(id));

    /// <summary>The bytes that a token adds in the middle of a text; empty for an unused id.</summary>
    public ReadOnlySpan<byte> TokenBytes(int id) =>
        (uint)id < (uint)_tokenBytes.Length ? _tokenBytes[id] ??= _parts.Decoder.TokenBytes(TokenText(id)) : [];

    /// <summary>Whether decoding gives an id any text at all.</summary>
    internal bool IsDecoded(int id, bool skipSpecialTokens) =>
        (uint)id < (uint)VocabularySize && !(skipSpecialTokens && IsSpecial(id))
        && (_parts.Vocabulary.Contains(id) || _addedTokens.ContainsKey(id));

    private int FindLongestToken()
    {
        int longest = 1;
        for (int id = 0; id < VocabularySize; id++)
        {
            // A byte-level token's printable form is never shorter than its bytes: no need to make those of the whole vocabulary.
            int length = !_parts.Decoder.IsByteLevel ? TokenBytes(id).Length
                : _addedTokens.TryGetValue(id, out AddedToken? token) ? Encoding.UTF8.GetByteCount(token.Content)
                : _parts.Vocabulary.TokenUtf8(id).Length;
            longest = Math.Max(longest, length);
        }

        return longest;
    }

    private int[] Encode(string text, bool addSpecialTokens, LiteralSpans? literal)
    {
        var output = new TokenBuffer();
        _encoder.Encode(text, literal, output);
        return addSpecialTokens ? _parts.PostProcessor.Apply(output.Ids) : output.Ids.ToArray();
    }

    private string DecodeBytes(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        int length = 0;
        foreach (int id in ids)
        {
            length += IsDecoded(id, skipSpecialTokens) ? TokenBytes(id).Length : 0;
        }

        byte[] bytes = new byte[length];
        int position = 0;
        foreach (int id in ids)
        {
            if (IsDecoded(id, skipSpecialTokens))
            {
                TokenBytes(id).CopyTo(bytes.AsSpan(position));
                position += TokenBytes(id).Length;
            }
        }

        return Encoding.UTF8.GetString(bytes);
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path}: cannot be read: {exception.Message}");
        }
    }

    private static TokenizerParts ReadParts(byte[] file, string sourceName) =>
        Wrap(sourceName, () => TokenizerJsonReader.Read(file));

    private static T Wrap<T>(string sourceName, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (FormatException exception)
        {
            throw new UserErrorException($"{sourceName}: {exception.Message}.");
        }
    }
}
