using CsCheck;
using Sluice.Text;

namespace Sluice.Tests.Text;

public class DetokenizerTests
{
    private const string LlamaDecoder =
        """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""";

    private const string Bytes = """ "<0xE4>":8,"<0xBD>":9,"<0xA0>":10,"<0xFF>":11,"▁a":12 """;

    [Theory]
    [InlineData("gpt2")]
    [InlineData("deepseek_v3")]
    [InlineData("storyteller")]
    [InlineData("qwen3")]
    public void Append_AnyIds_TogetherGiveTheDecodingOfAll(string name)
    {
        // Random ids make every kind of broken UTF-8.
        Tokenizer tokenizer = TestTokenizers.Get(name);
        Gen.Select(Gen.Int[-1, tokenizer.VocabularySize], Gen.Int[0, 300], Gen.Bool).Select(static (any, low, pick) => pick ? any : low)
            .Array[0, 30].Sample(
                ids =>
                {
                    foreach (bool skip in (bool[])[false, true])
                    {
                        var detokenizer = new Detokenizer(tokenizer, skip);
                        string text = string.Concat(ids.Select(detokenizer.Append)) + detokenizer.Flush();
                        Assert.Equal(tokenizer.Decode(ids, skip), text);
                    }
                },
                seed: "0N0XIzNsQ0O2",
                iter: 2000,
                threads: 1);
    }

    [Fact]
    public void Append_AnyText_NeverGivesHalfACharacter()
    {
        Tokenizer tokenizer = TestTokenizers.Get("gpt2");
        int[] ids = tokenizer.Encode("你好 👨‍👩‍👧 𠮷 naïve 🇺🇸");
        var detokenizer = new Detokenizer(tokenizer, skipSpecialTokens: false);
        foreach (int id in ids)
        {
            string delta = detokenizer.Append(id);
            Assert.DoesNotContain('\uFFFD', delta);
            Assert.False(delta.Length > 0 && (char.IsLowSurrogate(delta[0]) || char.IsHighSurrogate(delta[^1])));
        }

        Assert.Equal("", detokenizer.Flush());
    }

    [Fact]
    public void Append_ByteFallback_GivesACharacterWhenItsLastByteComes()
    {
        Tokenizer tokenizer = MiniTokenizer.Parse(decoder: LlamaDecoder, extraVocabulary: Bytes);
        var detokenizer = new Detokenizer(tokenizer, skipSpecialTokens: false);
        Assert.Equal(["", "", "你", "", "", "你", " a"], ((int[])[8, 9, 10, 8, 9, 10, 12]).Select(detokenizer.Append));
        Assert.Equal("", detokenizer.Append(8));
        Assert.Equal("\uFFFDa", detokenizer.Append(0));
        Assert.Equal("", detokenizer.Append(8));
        Assert.Equal("", detokenizer.Append(9));
        Assert.Equal("\uFFFD\uFFFD", detokenizer.Flush());
    }

    [Fact]
    public void Append_EndlessBrokenBytes_HoldsFewBack()
    {
        Tokenizer tokenizer = MiniTokenizer.Parse(decoder: LlamaDecoder, extraVocabulary: Bytes);
        var detokenizer = new Detokenizer(tokenizer, skipSpecialTokens: false);
        string text = string.Concat(Enumerable.Repeat(11, 1000).Select(detokenizer.Append));
        Assert.InRange(text.Length, 997, 1000);
        Assert.Equal(1000, text.Length + detokenizer.Flush().Length);
    }

    [Fact]
    public void Append_FirstToken_LosesItsSpaceOnlyWithoutAPrompt()
    {
        Tokenizer tokenizer = MiniTokenizer.Parse(decoder: LlamaDecoder, extraVocabulary: Bytes);
        Assert.Equal("a", new Detokenizer(tokenizer, skipSpecialTokens: true).Append(12));
        Assert.Equal(" a", new Detokenizer(tokenizer, skipSpecialTokens: true, [0]).Append(12));
        Assert.Equal("a", new Detokenizer(tokenizer, skipSpecialTokens: true, [50]).Append(12));
        Assert.Equal(" a", new Detokenizer(tokenizer, skipSpecialTokens: false, [50]).Append(12));
    }

    [Fact]
    public void Append_SpecialToken_GivesTextOnlyWhenNotSkipped()
    {
        Tokenizer tokenizer = TestTokenizers.Get("qwen3");
        int end = tokenizer.TokenId("<|im_end|>")!.Value;
        Assert.Equal("<|im_end|>", new Detokenizer(tokenizer, skipSpecialTokens: false).Append(end));
        Assert.Equal("", new Detokenizer(tokenizer, skipSpecialTokens: true).Append(end));
        Assert.Equal("", new Detokenizer(tokenizer, skipSpecialTokens: false).Append(1_000_000));
    }

    [Theory]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"aba"},"content":"X"}]}""")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"a","start":2,"stop":3}]}""")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Strip","content":"a","start":1,"stop":1},{"type":"ByteFallback"}]}""")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""")]
    [InlineData("""{"type":"BPEDecoder","suffix":"b"}""")]
    [InlineData("""{"type":"WordPiece","prefix":"a","cleanup":true}""")]
    [InlineData("null")]
    public void Append_EveryKindOfDecoder_TogetherGivesTheDecodingOfAll(string decoder)
    {
        Tokenizer tokenizer = MiniTokenizer.Parse(decoder: decoder);
        Gen.Int[0, 7].Array[1, 12].Sample(
            ids =>
            {
                var detokenizer = new Detokenizer(tokenizer, skipSpecialTokens: false);
                Assert.Equal(tokenizer.Decode(ids), string.Concat(ids.Select(detokenizer.Append)) + detokenizer.Flush());
            },
            seed: "0N0XIzNsQ0O2",
            iter: 3000,
            threads: 1);
    }

    [Theory]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"aba"},"content":"X"}]}""", "abababbaab", "Xbabbaab")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"a","start":2,"stop":3}]}""", "aaabaaaa", "aba")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"a","start":1,"stop":1}]}""", "ba", "b")]
    public void Decode_StagesOnTheWholeText_WorkOverTokenEdges(string decoder, string text, string expected)
    {
        Tokenizer tokenizer = MiniTokenizer.Parse(decoder: decoder, merges: "[]");
        Assert.Equal(expected, tokenizer.Decode(tokenizer.Encode(text, false)));
    }
}
