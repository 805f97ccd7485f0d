using System.Buffers;
using System.Text;

namespace Sluice.Text.Tokenization.Models;

/// <summary>Byte-pair encoding, byte-level (GPT-2 and most since) and over characters with byte fallback (SentencePiece).</summary>
internal sealed class BpeModel : TokenizerModel
{
    private const char WordMark = '▁';

    // A long input is cut at word marks only where the words can be cached; below this a single pass is as fast.
    private const int SplitThreshold = 16;

    private readonly Vocabulary _vocabulary;
    private readonly MergeTable _merges;
    private readonly BpeOptions _options;
    private readonly IReadOnlySet<int> _excluded;
    private readonly BpeSymbols _symbols;
    private readonly bool _splitsAtWordMarks;
    private readonly WordCache _cache = new();

    public BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options)
        : this(vocabulary, merges, options, new HashSet<int>())
    {
    }

    private BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options, IReadOnlySet<int> excluded)
    {
        _vocabulary = vocabulary;
        _merges = merges;
        _options = options;
        _excluded = excluded;
        _symbols = new BpeSymbols(vocabulary, options);
        _splitsAtWordMarks = CanSplitAtWordMarks();
    }

    public override TokenizerModel Without(IReadOnlySet<int> ids)
    {
        MergeTable reduced = _merges.Without(ids);
        return ReferenceEquals(reduced, _merges) && !_options.IgnoreMerges
            ? this
            : new BpeModel(_vocabulary, reduced, _options, ids);
    }

    public override void Tokenize(ReadOnlySpan<char> word, TokenBuffer output)
    {
        if (!_splitsAtWordMarks || word.Length < SplitThreshold)
        {
            TokenizeWord(word, output);
            return;
        }

        while (word.Length > 0)
        {
            int marks = word.IndexOfAnyExcept(WordMark);
            int length = marks < 0 ? -1 : word[marks..].IndexOf(WordMark);
            length = length < 0 ? word.Length : marks + length;
            TokenizeWord(word[..length], output);
            word = word[length..];
        }
    }

    private void TokenizeWord(ReadOnlySpan<char> word, TokenBuffer output)
    {
        if (word.Length == 0 || _cache.TryGet(word, out uint hash, output))
        {
            return;
        }

        int before = output.Count;
        if (!TryWholeWord(word, output))
        {
            MergeWord(word, output);
        }

        _cache.Add(word, hash, output.Ids[before..]);
    }

    private bool TryWholeWord(ReadOnlySpan<char> word, TokenBuffer output)
    {
        if (!_options.IgnoreMerges)
        {
            return false;
        }

        // Up to three bytes a UTF-16 unit, and two more for each of them in the byte-level alphabet.
        byte[] rented = ArrayPool<byte>.Shared.Rent(word.Length * 9);
        ReadOnlySpan<byte> text = rented.AsSpan(0, Encoding.UTF8.GetBytes(word, rented));
        if (_options.ByteLevel)
        {
            Span<byte> mapped = rented.AsSpan(text.Length);
            text = mapped[..MapToAlphabet(text, mapped)];
        }

        bool found = _vocabulary.TryGetId(text, out int id) && !_excluded.Contains(id);
        if (found)
        {
            output.Add(id);
        }

        ArrayPool<byte>.Shared.Return(rented);
        return found;
    }

    /// <summary>Writes the byte-level characters of some bytes as UTF-8; returns how many bytes that took.</summary>
    private static int MapToAlphabet(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        int length = 0;
        foreach (byte value in bytes)
        {
            char character = ByteLevelAlphabet.ToCharacter(value);
            if (character < 0x80)
            {
                destination[length++] = (byte)character;
            }
            else
            {
                destination[length++] = (byte)(0xC0 | (character >> 6));
                destination[length++] = (byte)(0x80 | (character & 0x3F));
            }
        }

        return length;
    }

    private void MergeWord(ReadOnlySpan<char> word, TokenBuffer output)
    {
        // A UTF-16 unit is at most three bytes, and an affix makes no further symbols unless it falls back to bytes.
        int capacity = (3 * word.Length) + _symbols.AffixByteCount;
        int[]? rented = capacity > 256 ? ArrayPool<int>.Shared.Rent(capacity) : null;
        Span<int> symbols = rented ?? stackalloc int[256];
        int count = _symbols.Collect(word, symbols);
        count = BpeMerger.Merge(symbols[..count], _merges);
        output.AddRange(symbols[..count]);
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    /// <summary>
    /// Whether no token goes over the edge before a word mark. Then the words between marks are independent, and a
    /// SentencePiece text, which has no pre-tokenizer, need not be merged as one word.
    /// </summary>
    private bool CanSplitAtWordMarks()
    {
        if (_options.ByteLevel || _options.IgnoreMerges || _symbols.AffixByteCount > 0 || !_vocabulary.TryGetId("▁", out _))
        {
            return false;
        }

        ReadOnlySpan<byte> mark = "▁"u8;
        for (int id = 0; id < _vocabulary.Size; id++)
        {
            ReadOnlySpan<byte> token = _vocabulary.TokenUtf8(id);
            while (token.StartsWith(mark))
            {
                token = token[mark.Length..];
            }

            if (token.IndexOf(mark) >= 0)
            {
                return false;
            }
        }

        return true;
    }
}
