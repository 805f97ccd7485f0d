using System.Collections.Concurrent;
using System.Text.Json;
using Sluice.Text;

namespace Sluice.Tests.Text;

/// <summary>The real tokenizers that tests use, loaded once, and the expectations for them.</summary>
internal static class TestTokenizers
{
    private static readonly ConcurrentDictionary<string, Lazy<Tokenizer>> Loaded = new();

    /// <summary>Names with data in the repository, and those whose licence keeps them beside it.</summary>
    public static readonly string[] All = ["deepseek_v3", "qwen3", "gpt2", "llama2_spm"];

    public static Tokenizer Get(string name) => Loaded.GetOrAdd(
        name, static key => new Lazy<Tokenizer>(() => Tokenizer.Parse(Read(key, "tokenizer.json"), $"{key}/tokenizer.json"))).Value;

    public static byte[] Read(string name, string file) => name switch
    {
        "storyteller" => File.ReadAllBytes(Path.Combine(TestData.Storyteller, file)),
        "llama2_spm" => File.ReadAllBytes(TestData.RequireShared("tokenizers", name, file)),
        "stories260K" => File.ReadAllBytes(TestData.RequireShared("models", name, file)),
        _ => TestData.ReadBytes("tokenizers", name, file),
    };

    /// <summary>The JSON objects of a .jsonl file.</summary>
    public static IEnumerable<JsonElement> ReadRows(string name, string file)
    {
        foreach (string line in System.Text.Encoding.UTF8.GetString(Read(name, file)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            yield return JsonElement.Parse(line);
        }
    }

    public static int[] Ints(this JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(static id => id.GetInt32())];

    public static string Text(this JsonElement row, string name) => row.GetProperty(name).GetString()!;
}
