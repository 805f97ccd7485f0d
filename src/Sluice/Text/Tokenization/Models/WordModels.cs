using System.Text;

namespace Sluice.Text.Tokenization.Models;

/// <summary>A word is a token of the vocabulary or the unknown token.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, int unknownId, IReadOnlySet<int> excluded) : TokenizerModel
{
    public override TokenizerModel Without(IReadOnlySet<int> ids) => new WordLevelModel(vocabulary, unknownId, ids);

    public override void Tokenize(ReadOnlySpan<char> word, TokenBuffer output)
    {
        byte[] text = new byte[Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, text);
        output.Add(vocabulary.TryGetId(text, out int id) && !excluded.Contains(id) ? id : unknownId);
    }
}

/// <summary>BERT's model: the longest token at the start of the word, then the longest continuation, and so on.</summary>
internal sealed class WordPieceModel(
    Vocabulary vocabulary, int unknownId, string continuingPrefix, int maximumCharacterCount, IReadOnlySet<int> excluded)
    : TokenizerModel
{
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(continuingPrefix);

    public override TokenizerModel Without(IReadOnlySet<int> ids) =>
        new WordPieceModel(vocabulary, unknownId, continuingPrefix, maximumCharacterCount, ids);

    public override void Tokenize(ReadOnlySpan<char> word, TokenBuffer output)
    {
        int characterCount = 0;
        foreach (Rune _ in word.EnumerateRunes())
        {
            characterCount++;
        }

        if (characterCount > maximumCharacterCount)
        {
            output.Add(unknownId);
            return;
        }

        // The continuation prefix is put before the rest of the word by writing it over what is already done.
        byte[] buffer = new byte[_prefix.Length + Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, buffer.AsSpan(_prefix.Length));
        var ids = new List<int>();
        int start = _prefix.Length;
        while (start < buffer.Length)
        {
            int from = start;
            if (start > _prefix.Length)
            {
                from = start - _prefix.Length;
                _prefix.CopyTo(buffer, from);
            }

            int end = buffer.Length;
            int id = -1;
            while (end > start && (!vocabulary.TryGetId(buffer.AsSpan(from, end - from), out id) || excluded.Contains(id)))
            {
                id = -1;
                end--;
            }

            if (id < 0)
            {
                output.Add(unknownId);
                return;
            }

            ids.Add(id);
            start = end;
        }

        output.AddRange(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids));
    }
}
