using System.Text;
using Sluice.Text;

namespace Sluice.Tests.Text;

/// <summary>A damaged or unsupported tokenizer.json ends in one line that names the file and what is wrong.</summary>
public class TokenizerErrorTests
{
    public static TheoryData<string, string> BadFiles => new()
    {
        { "", "mini.json: not valid JSON (line 1, byte 1)." },
        { "{\n\"model\": }", "mini.json: not valid JSON (line 2, byte 10)." },
        { "[]", "mini.json: not a JSON object." },
        { "{} x", "mini.json: not valid JSON" },
        { "{}", "mini.json: there is no \"model\"." },
        { """{"model":[]}""", "\"model\" must be an object" },
        { """{"model":{"type":"BPE","merges":[]}}""", "the model has no \"vocab\"" },
        { """{"model":{"type":"BPE","vocab":{"a":0}}}""", "the BPE model has no \"merges\"" },
        { """{"model":{"type":"Magic","vocab":{"a":0},"merges":[]}}""", "model type \"Magic\" is not supported" },
        { """{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "the id of token \"a\" must be a whole number from 0 on" },
        { """{"model":{"type":"BPE","vocab":{"a":1.5},"merges":[]}}""", "the id of token \"a\" must be a whole number from 0 on" },
        { """{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}""", "id 0 belongs to two tokens" },
        { """{"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}}""", "the token \"a\" occurs twice" },
        { """{"model":{"type":"BPE","vocab":{"a":2147483647},"merges":[]}}""", "token \"a\" has id 2147483647, far beyond the 1 tokens" },
        { """{"model":{"type":"BPE","vocab":{"\ud800":0},"merges":[]}}""", "not valid Unicode" },
        { """{"model":{"type":"BPE","vocab":[["a",0]],"merges":[]}}""", "\"vocab\" does not have the form of a BPE model" },
        { """{"model":{"type":"Unigram","vocab":{"a":0}}}""", "\"vocab\" does not have the form of a Unigram model" },
        { """{"model":{"type":"Unigram","vocab":[["a"]]}}""", "entry 0 of \"vocab\" must be a token and its score" },
        { """{"model":{"type":"Unigram","unk_id":7,"vocab":[["a",0]]}}""", "\"unk_id\" 7 is not below the vocabulary size 1" },
        { """{"model":{"type":"Unigram","vocab":[["a",0]]}}""", "the Unigram model needs an \"unk_id\"" },
        { """{"model":{"type":"WordLevel","unk_token":"?","vocab":{"a":0}}}""", "the unknown token \"?\" is not in the vocabulary" },
        { MiniTokenizer.Json(merges: """["a c"]"""), "merge 0 names \"c\", which is not in the vocabulary" },
        { MiniTokenizer.Json(merges: """["a b", "b a"]"""), "merge 1 names \"ba\", which is not in the vocabulary" },
        { MiniTokenizer.Json(merges: """["a  b"]"""), "merge 0 is not two tokens with one space between them" },
        { MiniTokenizer.Json(merges: """[["a"]]"""), "merge 0 is not a pair of tokens" },
        { MiniTokenizer.Json(merges: "7"), "\"merges\" must be a list" },
        { MiniTokenizer.Json(specialId: 1), "the added token \"<e>\" has id 1, which is \"b\" in the vocabulary" },
        { MiniTokenizer.Json(specialId: 2_000_000_000), "the added token \"<e>\" has id 2000000000, out of range" },
        { MiniTokenizer.Json(specialId: -5), "\"id\" of the added token \"<e>\" must be a whole number from 0 on" },
        { MiniTokenizer.Json(normalizer: """{"type":"Sparkle"}"""), "normalizer type \"Sparkle\" is not supported" },
        { MiniTokenizer.Json(normalizer: """{"type":"Precompiled","precompiled_charsmap":"!"}"""), "precompiled_charsmap is not base64" },
        { MiniTokenizer.Json(normalizer: """{"type":"Precompiled","precompiled_charsmap":"AAAA"}"""), "precompiled_charsmap is damaged" },
        { MiniTokenizer.Json(preTokenizer: """{"type":"UnicodeScripts"}"""), "pre-tokenizer type \"UnicodeScripts\" is not supported" },
        {
            MiniTokenizer.Json(preTokenizer: """{"type":"Split","pattern":{"Regex":"a("},"behavior":"Isolated"}"""),
            "the regular expression a( of the pre-tokenizer Split cannot be used: group without ')'"
        },
        {
            MiniTokenizer.Json(preTokenizer: """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Scattered"}"""),
            "behavior \"Scattered\" of the pre-tokenizer Split is not supported"
        },
        { MiniTokenizer.Json(decoder: """{"type":"CTC"}"""), "decoder type \"CTC\" is not supported" },
        { MiniTokenizer.Json(postProcessor: """{"type":"Stamp"}"""), "post-processor type \"Stamp\" is not supported" },
        {
            MiniTokenizer.Json(postProcessor: """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{}}"""),
            "\"special_tokens\" of the post-processor TemplateProcessing has no \"x\""
        },
        { MiniTokenizer.Json(modelFields: "\"unk_token\":\"?\","), "the unknown token \"?\" is not in the vocabulary" },
        { MiniTokenizer.Json(modelFields: "\"fuse_unk\":\"yes\","), "\"fuse_unk\" of the model must be true or false" },
    };

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void Parse_BadFile_SaysWhatIsWrong(string json, string expected)
    {
        var error = Assert.Throws<UserErrorException>(() => Tokenizer.Parse(Encoding.UTF8.GetBytes(json), "mini.json"));
        Assert.StartsWith("mini.json: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Parse_FilesWithRandomDamage_LoadOrSayWhatIsWrong()
    {
        byte[] good = Encoding.UTF8.GetBytes(MiniTokenizer.Json(
            normalizer: """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"a{2,}|[b-e&&c]"},"content":"x"}]}""",
            preTokenizer: """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?i:'s|'t)|\\p{L}+|\\s+(?!\\S)"},"behavior":"Isolated","invert":false},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}""",
            postProcessor: """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<e>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<e>":{"id":"<e>","ids":[50],"tokens":["<e>"]}}}""",
            decoder: """{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"""));
        var random = new Random(11);
        int loaded = 0;
        for (int round = 0; round < 5000; round++)
        {
            byte[] damaged = [.. good];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(damaged.Length);
                damaged[at] = random.Next(3) == 0 ? (byte)random.Next(256) : damaged[random.Next(damaged.Length)];
            }

            if (random.Next(4) == 0)
            {
                damaged = damaged[..random.Next(damaged.Length)];
            }

            try
            {
                Tokenizer.Parse(damaged, "mini.json").Encode("ab <e> a's  b");
                loaded++;
            }
            catch (UserErrorException)
            {
                // What a damaged file should give.
            }
        }

        Assert.InRange(loaded, 100, 4900);
    }

    [Fact]
    public void Load_NoSuchFile_SaysSo()
    {
        var error = Assert.Throws<UserErrorException>(() => Tokenizer.Load(Path.Combine(Path.GetTempPath(), "no-such-folder", "tokenizer.json")));
        Assert.Contains("tokenizer.json: cannot be read", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_DamagedConfiguration_NamesTheConfiguration()
    {
        string folder = Directory.CreateTempSubdirectory("sluice-tokenizer").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "tokenizer.json"), MiniTokenizer.Json());
            File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), "{");
            var error = Assert.Throws<UserErrorException>(() => Tokenizer.Load(Path.Combine(folder, "tokenizer.json")));
            Assert.Contains("tokenizer_config.json: not valid JSON", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
