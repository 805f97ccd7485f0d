using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Sluice.Text.Tokenization.Decoders;

/// <summary>Turns byte-level characters back into bytes, and the bytes of all tokens together into text.</summary>
internal sealed class ByteLevelStage : DecoderStage
{
    private readonly Utf8Stream _utf8 = new();

    public override void Push(string token, Action<string> emit) => emit(_utf8.Append(ToBytes(token)));

    public override void Finish(Action<string> emit) => emit(_utf8.Flush());

    /// <summary>The bytes of a token; its plain UTF-8 when it has a character that is not of the byte-level alphabet.</summary>
    public static byte[] ToBytes(string token)
    {
        var bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            int value = ByteLevelAlphabet.ToByte(token[i]);
            if (value < 0)
            {
                return Encoding.UTF8.GetBytes(token);
            }

            bytes[i] = (byte)value;
        }

        return bytes;
    }
}

/// <summary>
/// Joins runs of <c>&lt;0x..&gt;</c> tokens to text. A run that is not UTF-8 becomes one U+FFFD a byte. A stream gives out every
/// character as soon as it is complete; only if broken bytes follow in the same run does that differ from decoding the whole
/// run at once, which then loses the good characters too.
/// </summary>
internal sealed class ByteFallbackStage(bool streaming) : DecoderStage
{
    private const int LongestCharacter = 4;

    private readonly List<byte> _run = [];

    public override void Push(string token, Action<string> emit)
    {
        if (TryParse(token, out byte value))
        {
            _run.Add(value);
            if (streaming)
            {
                ReleaseComplete(emit);
            }

            return;
        }

        Release(emit);
        emit(token);
    }

    public override void Finish(Action<string> emit) => Release(emit);

    public static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private void ReleaseComplete(Action<string> emit)
    {
        while (_run.Count > 0)
        {
            if (Utf8Stream.IsComplete(CollectionsMarshal.AsSpan(_run)))
            {
                Release(emit);
                return;
            }

            if (_run.Count < LongestCharacter)
            {
                return;
            }

            // The first byte can no longer become a character; those after it may.
            emit("\uFFFD");
            _run.RemoveAt(0);
        }
    }

    private void Release(Action<string> emit)
    {
        if (_run.Count == 0)
        {
            return;
        }

        ReadOnlySpan<byte> bytes = CollectionsMarshal.AsSpan(_run);
        emit(Utf8Stream.IsComplete(bytes) ? Encoding.UTF8.GetString(bytes) : new string('\uFFFD', bytes.Length));
        _run.Clear();
    }
}
