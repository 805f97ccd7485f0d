using Sluice.Text.Tokenization.Decoders;

namespace Sluice.Text;

/// <summary>
/// Turns a stream of token ids into text as it comes. What it gives out never changes and never holds half a character;
/// all of it together is the decoding of the whole sequence. The work for a token does not grow with the stream.
/// </summary>
/// <remarks>Belongs to one stream; not thread-safe.</remarks>
public sealed class Detokenizer
{
    private readonly Tokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly Utf8Stream? _bytes;
    private readonly DecoderStream? _stream;

    /// <param name="tokenizer">Whose ids come.</param>
    /// <param name="skipSpecialTokens">Whether special tokens give no text.</param>
    /// <param name="promptTailIds">The last ids before the stream. They are not given out, but decide what the first token
    /// looks like: with none before it, it may lose its leading space.</param>
    public Detokenizer(Tokenizer tokenizer, bool skipSpecialTokens, ReadOnlySpan<int> promptTailIds = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        if (tokenizer.Decoder.IsByteLevel)
        {
            _bytes = new Utf8Stream();
        }
        else
        {
            _stream = tokenizer.Decoder.Open(streaming: true);
        }

        foreach (int id in promptTailIds)
        {
            Append(id);
        }
    }

    /// <summary>The text that is certain now and was not before; often that of the token, sometimes nothing.</summary>
    public string Append(int id)
    {
        if (!_tokenizer.IsDecoded(id, _skipSpecialTokens))
        {
            return "";
        }

        if (_bytes is not null)
        {
            return _bytes.Append(_tokenizer.TokenBytes(id));
        }

        _stream!.Push(_tokenizer.TokenText(id));
        return _stream.TakeText();
    }

    /// <summary>What is left when the stream ends; bytes of an unfinished character become U+FFFD.</summary>
    public string Flush()
    {
        if (_bytes is not null)
        {
            return _bytes.Flush();
        }

        _stream!.Finish();
        return _stream.TakeText();
    }
}
