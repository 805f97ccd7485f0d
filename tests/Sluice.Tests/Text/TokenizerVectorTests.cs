using System.Text.Json;
using Sluice.Text;

namespace Sluice.Tests.Text;

/// <summary>Ids and texts of the Rust tokenizers library for 185 texts and 24 streams a tokenizer.</summary>
public class TokenizerVectorTests
{
    public static TheoryData<string> Names => [.. TestTokenizers.All];

    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_EveryVector_GivesTheReferenceIds(string name)
    {
        Tokenizer tokenizer = TestTokenizers.Get(name);
        foreach (JsonElement row in TestTokenizers.ReadRows(name, "vectors.jsonl"))
        {
            Assert.Equal(row.Ints("ids"), tokenizer.Encode(row.Text("text"), addSpecialTokens: false));
            Assert.Equal(row.Ints("ids_special"), tokenizer.Encode(row.Text("text"), addSpecialTokens: true));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_EveryVector_GivesTheReferenceText(string name)
    {
        Tokenizer tokenizer = TestTokenizers.Get(name);
        foreach (JsonElement row in TestTokenizers.ReadRows(name, "vectors.jsonl"))
        {
            Assert.Equal(row.Text("decoded"), tokenizer.Decode(row.Ints("ids"), skipSpecialTokens: false));
            Assert.Equal(row.Text("decoded_skip"), tokenizer.Decode(row.Ints("ids"), skipSpecialTokens: true));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TokenText_EveryVector_GivesTheReferenceTokens(string name)
    {
        Tokenizer tokenizer = TestTokenizers.Get(name);
        foreach (JsonElement row in TestTokenizers.ReadRows(name, "vectors.jsonl"))
        {
            Assert.Equal(
                row.GetProperty("tokens").EnumerateArray().Select(static token => token.GetString()),
                row.Ints("ids").Select(tokenizer.TokenText));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Detokenizer_EveryStreamVector_GivesEachPrefixUpToItsUnfinishedCharacter(string name)
    {
        Tokenizer tokenizer = TestTokenizers.Get(name);
        foreach (JsonElement row in TestTokenizers.ReadRows(name, "stream_vectors.jsonl"))
        {
            int[] ids = row.Ints("ids");
            string[] prefixes = [.. row.GetProperty("prefix_decoded").EnumerateArray().Select(static text => text.GetString()!)];
            var detokenizer = new Detokenizer(tokenizer, skipSpecialTokens: false);
            string emitted = "";
            for (int i = 0; i < ids.Length; i++)
            {
                emitted += detokenizer.Append(ids[i]);
                string complete = row.Text("text").Contains('\uFFFD') ? prefixes[i] : prefixes[i].TrimEnd('\uFFFD');

                // Byte fallback decodes a run of bytes as a whole, so that a prefix can have less text than the one before it.
                Assert.Equal(complete.Length >= emitted.Length ? complete : prefixes[^1][..emitted.Length], emitted);
            }

            Assert.Equal(prefixes[^1], emitted + detokenizer.Flush());
        }
    }
}
