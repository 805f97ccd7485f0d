using Sluice.Text.Tokenization.Json;
using Sluice.Text.Tokenization.Models;
using Sluice.Text.Tokenization.Normalizers;
using Sluice.Text.Tokenization.PreTokenizers;

namespace Sluice.Text.Tokenization;

/// <summary>
/// Text to ids, without the special tokens that go around: added tokens are taken out of the text as it stands, the parts
/// between are normalized, the remaining added tokens are taken out of that, the rest is cut into words, and the model
/// splits the words. Thread-safe.
/// </summary>
internal sealed class TextEncoder
{
    private readonly TokenizerModel _model;
    private readonly Lazy<TokenizerModel> _modelWithoutControl;
    private readonly Normalizer? _normalizer;
    private readonly IReadOnlyList<PreTokenizer> _preTokenizers;
    private readonly AddedTokenMatcher _plainMatcher;
    private readonly AddedTokenMatcher _normalizedMatcher;
    private readonly bool _hasNormalizedControl;

    public TextEncoder(TokenizerParts parts)
    {
        _model = parts.Model;
        _normalizer = parts.Normalizer;
        _preTokenizers = parts.PreTokenizers;
        _plainMatcher = new AddedTokenMatcher(
            parts.AddedTokens.Where(static token => !token.Normalized).Select(static token => (token.Content, token)));
        _normalizedMatcher = new AddedTokenMatcher(
            parts.AddedTokens.Where(static token => token.Normalized).Select(token => (Normalize(token.Content), token)));
        _hasNormalizedControl = parts.AddedTokens.Any(static token => token.Normalized && token.IsControl);
        HashSet<int> control = [.. parts.AddedTokens.Where(static token => token.IsControl).Select(static token => token.Id)];
        _modelWithoutControl = new Lazy<TokenizerModel>(() => control.Count == 0 ? _model : _model.Without(control));
    }

    public void Encode(string text, LiteralSpans? literal, TokenBuffer output)
    {
        var job = new Job(this, literal, output);
        job.EncodeText(Unicode.WellFormedText.Of(text).AsMemory());
    }

    private string Normalize(string text)
    {
        var normalized = new NormalizedText(text.AsMemory(), tracksOrigins: false);
        _normalizer?.Apply(normalized);
        return normalized.Text.ToString();
    }

    /// <summary>One call's state.</summary>
    private sealed class Job(TextEncoder encoder, LiteralSpans? literal, TokenBuffer output)
    {
        private readonly TokenizerModel _model = literal is null ? encoder._model : encoder._modelWithoutControl.Value;
        private PieceList _current = new();
        private PieceList _next = new();

        public void EncodeText(ReadOnlyMemory<char> text)
        {
            Func<AddedToken, int, int, bool>? isAllowed =
                literal is null ? null : (token, start, end) => !(token.IsControl && literal.Overlaps(start, end));
            int done = 0;
            int search = 0;
            while (encoder._plainMatcher.Find(text.Span, search, done, isAllowed) is { } match)
            {
                EncodeBetween(text, done, match.Start);
                output.Add(match.Token.Id);
                (done, search) = (match.End, match.SearchNext);
            }

            EncodeBetween(text, done, text.Length);
        }

        private void EncodeBetween(ReadOnlyMemory<char> text, int start, int end)
        {
            if (start >= end)
            {
                return;
            }

            bool tracks = literal is not null && encoder._hasNormalizedControl;
            var normalized = new NormalizedText(text[start..end], tracks && encoder._normalizer is not null);
            encoder._normalizer?.Apply(normalized);
            Func<AddedToken, int, int, bool>? isAllowed = !tracks ? null : (token, matchStart, matchEnd) =>
            {
                TextSpan origin = normalized.OriginOf(matchStart, matchEnd);
                return !(token.IsControl && literal!.Overlaps(start + origin.Start, start + origin.End));
            };
            ReadOnlyMemory<char> part = normalized.Memory;
            int done = 0;
            int search = 0;
            while (encoder._normalizedMatcher.Find(part.Span, search, done, isAllowed) is { } match)
            {
                EncodeWords(part, done, match.Start, start == 0);
                output.Add(match.Token.Id);
                (done, search) = (match.End, match.SearchNext);
            }

            EncodeWords(part, done, part.Length, start == 0);
        }

        private void EncodeWords(ReadOnlyMemory<char> text, int start, int end, bool startsText)
        {
            if (start >= end)
            {
                return;
            }

            _current.Reset(text[start..end], startsText && start == 0);
            foreach (PreTokenizer stage in encoder._preTokenizers)
            {
                stage.Apply(_current, _next);
                (_current, _next) = (_next, _current);
            }

            ReadOnlySpan<char> words = _current.Text.Span;
            foreach (TextSpan piece in _current.Pieces)
            {
                _model.Tokenize(words.Slice(piece.Start, piece.Length), output);
            }
        }
    }
}
