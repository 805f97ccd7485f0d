using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Sluice.Text.Tokenization.Normalizers;

/// <summary>
/// SentencePiece's own normalization rules: a double-array trie (Darts) from UTF-8 to offsets into a block of
/// zero-terminated replacements. A whole grapheme of fewer than six bytes is looked up first, then its single characters.
/// </summary>
internal sealed class PrecompiledNormalizer : Normalizer
{
    private const int LongestGraphemeByteCount = 5;

    private readonly uint[] _trie;
    private readonly byte[] _replacements;

    /// <exception cref="FormatException">The map is not what SentencePiece writes.</exception>
    public PrecompiledNormalizer(byte[] map)
    {
        uint trieByteCount = map.Length < 4 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(map);
        if (trieByteCount == 0 || trieByteCount % 4 != 0 || trieByteCount > map.Length - 4)
        {
            throw new FormatException("precompiled_charsmap is damaged");
        }

        _trie = new uint[trieByteCount / 4];
        for (int i = 0; i < _trie.Length; i++)
        {
            _trie[i] = BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(4 + (4 * i)));
        }

        _replacements = map[(4 + (int)trieByteCount)..];
    }

    public override void Apply(NormalizedText text)
    {
        Span<byte> utf8 = stackalloc byte[3 * LongestGraphemeByteCount];
        bool started = false;
        int graphemeLength;
        for (int position = 0; position < text.Text.Length; position += graphemeLength)
        {
            ReadOnlySpan<char> rest = text.Text[position..];
            graphemeLength = StringInfo.GetNextTextElementLength(rest);
            ReadOnlySpan<char> grapheme = rest[..graphemeLength];
            if (graphemeLength <= LongestGraphemeByteCount)
            {
                int byteCount = Encoding.UTF8.GetBytes(grapheme, utf8);
                if (byteCount <= LongestGraphemeByteCount && TryFind(utf8[..byteCount], out string replacement))
                {
                    Start(text, ref started, position);
                    text.Emit(replacement, position);
                    continue;
                }
            }

            int offset = position;
            foreach (Rune rune in grapheme.EnumerateRunes())
            {
                int byteCount = rune.EncodeToUtf8(utf8);
                if (TryFind(utf8[..byteCount], out string replacement))
                {
                    Start(text, ref started, offset);
                    text.Emit(replacement, offset);
                }
                else if (started)
                {
                    text.EmitCodePoint(rune.Value, offset);
                }

                offset += rune.Utf16SequenceLength;
            }
        }

        if (started)
        {
            text.Commit();
        }
    }

    private static void Start(NormalizedText text, ref bool started, int position)
    {
        if (!started)
        {
            text.Begin();
            text.Copy(0, position);
            started = true;
        }
    }

    /// <summary>The replacement of the shortest key that the bytes begin with.</summary>
    private bool TryFind(ReadOnlySpan<byte> key, out string replacement)
    {
        replacement = "";
        uint node = Offset(_trie[0]);
        foreach (byte value in key)
        {
            if (value == 0)
            {
                return false;
            }

            node ^= value;
            if (node >= _trie.Length)
            {
                return false;
            }

            uint unit = _trie[node];
            if ((unit & 0x800000FF) != value)
            {
                return false;
            }

            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 0)
            {
                continue;
            }

            uint start = node < _trie.Length ? _trie[node] & 0x7FFFFFFF : uint.MaxValue;
            if (start >= _replacements.Length)
            {
                return false;
            }

            ReadOnlySpan<byte> tail = _replacements.AsSpan((int)start);
            int end = tail.IndexOf((byte)0);
            replacement = Encoding.UTF8.GetString(end < 0 ? tail : tail[..end]);
            return true;
        }

        return false;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 0x200) >> 6);
}
