using System.Buffers;
using System.Text;

namespace Sluice.Text.Tokenization.Models;

/// <summary>SentencePiece's unigram model: the segmentation of a word with the highest sum of scores (Viterbi).</summary>
internal sealed class UnigramModel : TokenizerModel
{
    // SentencePiece's distance between the worst token and an unknown character.
    private const double UnknownPenalty = 10.0;
    private const int NoToken = -1;

    private readonly Vocabulary _vocabulary;
    private readonly double[] _scores;
    private readonly int _unknownId;
    private readonly bool _byteFallback;
    private readonly IReadOnlySet<int> _excluded;
    private readonly ByteTrie _trie = new();
    private readonly double _unknownScore;
    private readonly int[] _fallbackIds = new int[256];

    /// <param name="vocabulary">The tokens; ids are positions in the file's list.</param>
    /// <param name="scores">The log probability of each id.</param>
    /// <param name="unknownId">The unknown token; -1 when the model has none, and then every character must be a token.</param>
    /// <param name="byteFallback">Whether unknown text becomes <c>&lt;0x..&gt;</c> tokens.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int unknownId, bool byteFallback)
        : this(vocabulary, scores, unknownId, byteFallback, new HashSet<int>())
    {
    }

    private UnigramModel(
        Vocabulary vocabulary, double[] scores, int unknownId, bool byteFallback, IReadOnlySet<int> excluded)
    {
        (_vocabulary, _scores, _unknownId, _byteFallback, _excluded) = (vocabulary, scores, unknownId, byteFallback, excluded);
        double lowest = double.PositiveInfinity;
        for (int id = 0; id < scores.Length; id++)
        {
            lowest = Math.Min(lowest, scores[id]);

            // Of two tokens with the same text the later one counts.
            if (vocabulary.TryGetId(vocabulary.TokenUtf8(id), out int textId) && textId == id && !excluded.Contains(id))
            {
                _trie.Add(vocabulary.TokenUtf8(id), id);
            }
        }

        _unknownScore = lowest - UnknownPenalty;
        for (int value = 0; value < 256; value++)
        {
            _fallbackIds[value] = vocabulary.TryGetId($"<0x{value:X2}>", out int id) ? id : NoToken;
        }
    }

    public override TokenizerModel Without(IReadOnlySet<int> ids) =>
        new UnigramModel(_vocabulary, _scores, _unknownId, _byteFallback, ids);

    public override void Tokenize(ReadOnlySpan<char> word, TokenBuffer output)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        ReadOnlySpan<byte> text = rented.AsSpan(0, Encoding.UTF8.GetBytes(word, rented));
        Node[] best = ArrayPool<Node>.Shared.Rent(text.Length + 1);
        best.AsSpan(0, text.Length + 1).Fill(new Node { Start = NoToken });
        FindBestPath(text, best);
        Collect(text, best, output);
        ArrayPool<Node>.Shared.Return(best);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private void FindBestPath(ReadOnlySpan<byte> text, Span<Node> best)
    {
        best[0].Score = 0;
        int start = 0;
        while (start < text.Length)
        {
            Rune.DecodeFromUtf8(text[start..], out _, out int characterLength);
            double score = best[start].Score;
            bool hasWholeCharacter = false;
            int node = ByteTrie.Root;
            for (int end = start; end < text.Length;)
            {
                node = _trie.Step(node, text[end++]);
                if (node < 0)
                {
                    break;
                }

                int id = _trie.TokenAt(node);
                if (id >= 0)
                {
                    Offer(ref best[end], start, id, score + _scores[id]);
                    hasWholeCharacter |= end - start == characterLength;
                }
            }

            if (!hasWholeCharacter)
            {
                Offer(ref best[start + characterLength], start, NoToken, score + _unknownScore);
            }

            start += characterLength;
        }
    }

    private static void Offer(ref Node node, int start, int id, double score)
    {
        if (node.Start < 0 || score > node.Score)
        {
            node = new Node { Start = start, Id = id, Score = score };
        }
    }

    private void Collect(ReadOnlySpan<byte> text, ReadOnlySpan<Node> best, TokenBuffer output)
    {
        var path = new List<(int Start, int End, int Id)>();
        for (int end = text.Length; end > 0; end = best[end].Start)
        {
            int id = best[end].Id == _unknownId ? NoToken : best[end].Id;
            if (id == NoToken && path.Count > 0 && path[^1].Id == NoToken)
            {
                path[^1] = (best[end].Start, path[^1].End, NoToken);
            }
            else
            {
                path.Add((best[end].Start, end, id));
            }
        }

        for (int i = path.Count - 1; i >= 0; i--)
        {
            if (path[i].Id != NoToken)
            {
                output.Add(path[i].Id);
            }
            else
            {
                AddUnknown(text[path[i].Start..path[i].End], output);
            }
        }
    }

    /// <summary>A run of unknown characters: together a token after all, or bytes, or the unknown token once.</summary>
    private void AddUnknown(ReadOnlySpan<byte> text, TokenBuffer output)
    {
        if (_vocabulary.TryGetId(text, out int id) && !_excluded.Contains(id))
        {
            output.Add(id);
            return;
        }

        bool allBytes = _byteFallback;
        foreach (byte value in text)
        {
            allBytes &= _fallbackIds[value] != NoToken;
        }

        if (!allBytes)
        {
            output.Add(_unknownId >= 0
                ? _unknownId
                : throw new UserErrorException("The tokenizer meets a character outside its vocabulary and has no unknown token."));
            return;
        }

        foreach (byte value in text)
        {
            output.Add(_fallbackIds[value]);
        }
    }

    private struct Node
    {
        public int Start;
        public int Id;
        public double Score;
    }
}
