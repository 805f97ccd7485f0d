namespace Sluice.Text.Tokenization.Models;

/// <summary>Splits one word (what the pre-tokenizer left together) into tokens of the vocabulary. Thread-safe.</summary>
internal abstract class TokenizerModel
{
    public abstract void Tokenize(ReadOnlySpan<char> word, TokenBuffer output);

    /// <summary>
    /// A model of the same vocabulary that never makes one of these ids out of text; the model itself where it cannot anyway.
    /// Needed where a control token's text could be put together by ordinary merges.
    /// </summary>
    public abstract TokenizerModel Without(IReadOnlySet<int> ids);
}
