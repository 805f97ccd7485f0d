using System.Text;
using Sluice.Text;

namespace Sluice.Tests.Text;

/// <summary>A tokenizer.json of eight tokens, with parts to replace.</summary>
internal static class MiniTokenizer
{
    public static Tokenizer Parse(
        string normalizer = "null",
        string preTokenizer = "null",
        string decoder = """{"type":"Fuse"}""",
        string postProcessor = "null",
        string merges = """["a b"]""",
        string extraVocabulary = "",
        string modelFields = "",
        bool specialIsNormalized = false,
        int specialId = 50) =>
        Sluice.Text.Tokenizer.Parse(
            Encoding.UTF8.GetBytes(Json(normalizer, preTokenizer, decoder, postProcessor, merges, extraVocabulary, modelFields, specialIsNormalized, specialId)),
            "mini.json");

    public static string Json(
        string normalizer = "null",
        string preTokenizer = "null",
        string decoder = """{"type":"Fuse"}""",
        string postProcessor = "null",
        string merges = """["a b"]""",
        string extraVocabulary = "",
        string modelFields = "",
        bool specialIsNormalized = false,
        int specialId = 50) => $$"""
        {
          "version": "1.0", "truncation": null, "padding": null,
          "added_tokens": [{"id": {{specialId}}, "content": "<e>", "special": true, "normalized": {{(specialIsNormalized ? "true" : "false")}},
            "single_word": false, "lstrip": false, "rstrip": false}],
          "normalizer": {{normalizer}}, "pre_tokenizer": {{preTokenizer}}, "post_processor": {{postProcessor}}, "decoder": {{decoder}},
          "model": {"type": "BPE", {{modelFields}} "vocab": {
            "a":0,"b":1,"<":2,"e":3,">":4,"▁":5," ":6,"ab":7{{(extraVocabulary.Length > 0 ? "," : "")}}{{extraVocabulary}} }, "merges": {{merges}} }
        }
        """;
}
