using System.Text;

namespace Sluice.Text.Tokenization.Models;

/// <summary>The first step of BPE: a word as its smallest tokens, with fallback to bytes or the unknown token.</summary>
internal sealed class BpeSymbols
{
    private const int NoToken = -1;

    private readonly Vocabulary _vocabulary;
    private readonly BpeOptions _options;
    private readonly byte[] _prefix;
    private readonly byte[] _suffix;

    // For each byte: its byte-level token, and its <0x..> token.
    private readonly int[] _byteLevelIds = new int[256];
    private readonly int[] _fallbackIds = new int[256];

    public BpeSymbols(Vocabulary vocabulary, BpeOptions options)
    {
        _vocabulary = vocabulary;
        _options = options;
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingSubwordPrefix);
        _suffix = Encoding.UTF8.GetBytes(options.EndOfWordSuffix);
        for (int value = 0; value < 256; value++)
        {
            string character = ByteLevelAlphabet.ToCharacter((byte)value).ToString();
            _byteLevelIds[value] = vocabulary.TryGetId(character, out int id) ? id : NoToken;
            _fallbackIds[value] = vocabulary.TryGetId($"<0x{value:X2}>", out id) ? id : NoToken;
        }
    }

    public int AffixByteCount => _prefix.Length + _suffix.Length;

    /// <summary>Fills <paramref name="symbols"/> (room for three a UTF-16 unit, and the affixes) and returns how many there are.</summary>
    public int Collect(ReadOnlySpan<char> word, Span<int> symbols)
    {
        var state = new State(symbols);
        Span<byte> utf8 = stackalloc byte[4];
        Span<byte> mapped = stackalloc byte[2];
        int position = 0;
        while (position < word.Length)
        {
            Rune.DecodeFromUtf16(word[position..], out Rune rune, out int unitCount);
            int length = rune.EncodeToUtf8(utf8);
            bool first = position == 0;
            position += unitCount;
            if (!_options.ByteLevel)
            {
                AddCharacter(ref state, utf8[..length], first, position == word.Length);
                continue;
            }

            for (int i = 0; i < length; i++)
            {
                int id = _byteLevelIds[utf8[i]];
                if (id != NoToken)
                {
                    FlushUnknown(ref state);
                    state.Add(id);
                }
                else
                {
                    int mappedLength = new Rune(ByteLevelAlphabet.ToCharacter(utf8[i])).EncodeToUtf8(mapped);
                    AddOutsider(ref state, mapped[..mappedLength]);
                }
            }
        }

        FlushUnknown(ref state);
        return state.Count;
    }

    private void AddCharacter(ref State state, scoped ReadOnlySpan<byte> character, bool first, bool last)
    {
        byte[]? joined = null;
        if ((!first && _prefix.Length > 0) || (last && _suffix.Length > 0))
        {
            joined = [.. first ? [] : _prefix, .. character, .. last ? _suffix : []];
        }

        scoped ReadOnlySpan<byte> text = joined ?? character;
        if (_vocabulary.TryGetId(text, out int id))
        {
            FlushUnknown(ref state);
            state.Add(id);
        }
        else
        {
            AddOutsider(ref state, text);
        }
    }

    private void AddOutsider(ref State state, scoped ReadOnlySpan<byte> text)
    {
        if (_options.ByteFallback && HasAllFallbackBytes(text))
        {
            // A pending unknown token stays pending and comes after these bytes: the reference implementation's order.
            foreach (byte value in text)
            {
                state.Add(_fallbackIds[value]);
            }

            return;
        }

        if (_options.UnknownId == NoToken)
        {
            return;
        }

        if (!_options.FuseUnknown)
        {
            FlushUnknown(ref state);
        }

        state.UnknownPending = true;
    }

    private bool HasAllFallbackBytes(ReadOnlySpan<byte> text)
    {
        foreach (byte value in text)
        {
            if (_fallbackIds[value] == NoToken)
            {
                return false;
            }
        }

        return true;
    }

    private void FlushUnknown(ref State state)
    {
        if (state.UnknownPending)
        {
            state.Add(_options.UnknownId);
            state.UnknownPending = false;
        }
    }

    private ref struct State(Span<int> symbols)
    {
        private readonly Span<int> _symbols = symbols;

        public bool UnknownPending;

        public int Count { get; private set; }

        public void Add(int id) => _symbols[Count++] = id;
    }
}
