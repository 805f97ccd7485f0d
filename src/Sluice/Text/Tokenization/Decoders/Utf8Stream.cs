using System.Text;
using System.Text.Unicode;

namespace Sluice.Text.Tokenization.Decoders;

/// <summary>Decodes UTF-8 that comes in parts; every broken sequence becomes one U+FFFD, as decoding it whole would give.</summary>
internal sealed class Utf8Stream
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    /// <summary>Whether bytes are UTF-8 that ends with a complete character.</summary>
    public static bool IsComplete(ReadOnlySpan<byte> bytes) => Utf8.IsValid(bytes);

    public string Append(ReadOnlySpan<byte> bytes) => Decode(bytes, flush: false);

    public string Flush() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int count = _decoder.GetCharCount(bytes, flush);
        if (count == 0 && bytes.IsEmpty)
        {
            return "";
        }

        Span<char> characters = count <= 256 ? stackalloc char[256] : new char[count];
        int written = _decoder.GetChars(bytes, characters, flush);
        return written == 0 ? "" : characters[..written].ToString();
    }
}
