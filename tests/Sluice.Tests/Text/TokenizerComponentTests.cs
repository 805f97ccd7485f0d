using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sluice.Text;

namespace Sluice.Tests.Text;

/// <summary>
/// Every normalizer, pre-tokenizer, model, post-processor and decoder by itself, on 90 texts: what the Rust tokenizers library
/// gives for the same tokenizer.json. The rows are GPT-2's file with some parts replaced, or a small file of their own.
/// </summary>
public class TokenizerComponentTests
{
    private static readonly Lazy<string[]> Texts = new(static () =>
        JsonSerializer.Deserialize<string[]>(TestData.ReadBytes("tokenizers", "components", "texts.json"))!);

    private static readonly Lazy<Dictionary<string, JsonElement>> Rows = new(static () =>
        TestData.ReadLines("tokenizers", "components", "vectors.jsonl").Select(static line => JsonElement.Parse(line))
            .ToDictionary(static row => row.Text("name")));

    public static TheoryData<string> Names => [.. Rows.Value.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void EncodeAndDecode_EveryText_GiveTheReference(string name)
    {
        JsonElement row = Rows.Value[name];
        Tokenizer tokenizer = Tokenizer.Parse(BuildFile(row), name);
        for (int i = 0; i < Texts.Value.Length; i++)
        {
            int[] ids = [.. row.GetProperty("ids")[i].EnumerateArray().Select(static id => id.GetInt32())];
            Assert.Equal(ids, tokenizer.Encode(Texts.Value[i], addSpecialTokens: false));
            Assert.Equal(
                row.GetProperty("ids_special")[i].EnumerateArray().Select(static id => id.GetInt32()),
                tokenizer.Encode(Texts.Value[i], addSpecialTokens: true));
            Assert.Equal(row.GetProperty("decoded")[i].GetString(), tokenizer.Decode(ids));
        }
    }

    private static byte[] BuildFile(JsonElement row)
    {
        JsonNode patch = JsonNode.Parse(row.GetProperty("patch").GetRawText())!;
        if (row.GetProperty("base").ValueKind == JsonValueKind.Null)
        {
            return Encoding.UTF8.GetBytes(patch.ToJsonString());
        }

        JsonNode file = JsonNode.Parse(TestTokenizers.Read(row.Text("base"), "tokenizer.json"))!;
        foreach ((string key, JsonNode? value) in patch.AsObject())
        {
            file[key] = value?.DeepClone();
        }

        return Encoding.UTF8.GetBytes(file.ToJsonString());
    }
}
