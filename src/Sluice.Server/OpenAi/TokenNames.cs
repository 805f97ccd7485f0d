using System.Globalization;
using System.Text;
using Sluice.Text;

namespace Sluice.Server.OpenAi;

/// <summary>How tokens are written in logprobs.</summary>
/// <param name="tokenizer">None where only ids are served; tokens are then always written as ids.</param>
/// <param name="asIds">Write <c>token_id:123</c>.</param>
internal sealed class TokenNames(Tokenizer? tokenizer, bool asIds)
{
    public string NameOf(int id) =>
        asIds || !HasText(id) ? string.Create(CultureInfo.InvariantCulture, $"token_id:{id}") : tokenizer!.DecodeToken(id);

    /// <summary>The token's text, or none without a tokenizer.</summary>
    public string? TextOf(int id) => HasText(id) ? tokenizer!.DecodeToken(id) : null;

    /// <summary>The token's very bytes, which need not be whole characters.</summary>
    public ReadOnlySpan<byte> BytesOf(int id) =>
        HasText(id) ? tokenizer!.TokenBytes(id) : Encoding.UTF8.GetBytes(NameOf(id));

    /// <summary>Code points that the token adds to the text.</summary>
    public int LengthOf(int id)
    {
        string text = TextOf(id) ?? NameOf(id);
        int count = 0;
        foreach (Rune _ in text.EnumerateRunes())
        {
            count++;
        }

        return count;
    }

    // A model may have more rows of logits than its tokenizer has tokens.
    private bool HasText(int id) => tokenizer is not null && id < tokenizer.VocabularySize;
}
