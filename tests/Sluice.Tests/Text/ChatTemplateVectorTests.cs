using System.IO.Compression;
using System.Text.Json;

namespace Sluice.Tests.Text;

public class ChatTemplateVectorTests
{
    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen3")]
    public void RenderUnchanged_CommittedVectors_MatchHuggingFace(string model)
    {
        using ZipArchive archive = ZipFile.OpenRead(TestData.PathOf("chat-templates", "vectors.zip"));
        using JsonDocument cases = JsonDocument.Parse(Read(archive, "chat_cases.json"));
        string[] rows = Read(archive, model + "/chat_vectors.jsonl").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Check(rows, cases, _ => Read(archive, model + "/chat_template.jinja"));
    }

    [Fact]
    public void RenderUnchanged_TemplatesOfPublicModels_MatchHuggingFace()
    {
        string? folder = TestData.Shared("chat-templates");
        Assert.SkipWhen(folder is null, "the templates of public models may not be copied into the repository");
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllBytes(TestData.Shared("tokenizers", "chat_cases.json")!));
        Check(File.ReadLines(Path.Combine(folder!, "vectors.jsonl")), cases, name => File.ReadAllText(Path.Combine(folder!, name)));
    }

    private static string Read(ZipArchive archive, string name)
    {
        using StreamReader reader = new(archive.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    /// <summary>Where the JavaScript implementation differs from Hugging Face's, the latter is still what is matched.</summary>
    private static void Check(IEnumerable<string> rows, JsonDocument cases, Func<string, string> readTemplate)
    {
        (int total, List<string> hard, List<string> advisory) = ChatVectors.Run(rows, cases.RootElement, readTemplate);
        TestContext.Current.TestOutputHelper?.WriteLine($"{total} rows, {hard.Count} hard and {advisory.Count} advisory mismatches");
        Assert.True(total > 0);
        Assert.True(hard.Count == 0, string.Join("\n\n", hard));
        Assert.True(advisory.Count == 0, string.Join("\n\n", advisory));
    }
}
