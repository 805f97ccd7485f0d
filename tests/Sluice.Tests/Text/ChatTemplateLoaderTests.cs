using System.Text.Json;
using Sluice.Text;

namespace Sluice.Tests.Text;

public class ChatTemplateLoaderTests
{
    [Fact]
    public void Load_NoTemplate_IsNull()
    {
        using TemporaryFolder folder = new();
        Assert.Null(ChatTemplateLoader.Load(folder.Path, null));
        folder.Write("tokenizer_config.json", """{"bos_token":"<b>"}""");
        Assert.Null(ChatTemplateLoader.Load(folder.Path, null));
    }

    [Fact]
    public void Load_Places_AreTriedInOrderWithTheModelsTokens()
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer_config.json", """{"bos_token":{"content":"<b>"},"eos_token":null,"chat_template":"config{{ bos_token }}{{ eos_token }}{{ unk_token }}"}""");
        folder.Write("special_tokens_map.json", """{"eos_token":"<e>"}""");
        Assert.Equal("config<b><e>", Render(ChatTemplateLoader.Load(folder.Path, null)));
        folder.Write("chat_template.json", """{"chat_template":"json{{ bos_token }}"}""");
        Assert.Equal("json<b>", Render(ChatTemplateLoader.Load(folder.Path, null)));
        folder.Write("chat_template.jinja", "jinja{{ bos_token }}");
        Assert.Equal("jinja<b>", Render(ChatTemplateLoader.Load(folder.Path, null)));
        string file = folder.Write("mine.txt", "file{{ bos_token }}");
        Assert.Equal("file<b>", Render(ChatTemplateLoader.Load(folder.Path, file)));
        Assert.Equal("inline<b>", Render(ChatTemplateLoader.Load(folder.Path, "inline{{ bos_token }}")));
    }

    [Fact]
    public void Load_NamedTemplates_ToolUseForConversationsWithTools()
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer_config.json", """{"chat_template":[{"name":"default","template":"plain"},{"name":"tool_use","template":"tools{{ extra }}"}]}""");
        ChatTemplate template = ChatTemplateLoader.Load(folder.Path, null)!;
        Assert.Equal("plain", Render(template));
        Assert.Equal("plain", Render(template, "[]"));
        Assert.Equal("tools", Render(template, """[{"type":"function"}]"""));
        Assert.Contains("extra", template.Variables);
    }

    [Theory]
    [InlineData("""{"chat_template":[{"name":"rag","template":"x"}]}""", "no template named 'default' (it has: rag)")]
    [InlineData("""{"chat_template":5}""", "must be a string or a list")]
    [InlineData("""{"chat_template":["x"]}""", "needs a name and a template")]
    [InlineData("""{"chat_template":"{% if %}"}""", "line 1")]
    [InlineData("{", "not valid JSON")]
    public void Load_BrokenConfig_NamesTheFile(string config, string text)
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("tokenizer_config.json", config);
        UserErrorException error = Assert.Throws<UserErrorException>(() => ChatTemplateLoader.Load(folder.Path, null));
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OverrideThatIsNoFile_SaysSo()
    {
        using TemporaryFolder folder = new();
        UserErrorException error = Assert.Throws<UserErrorException>(() => ChatTemplateLoader.Load(folder.Path, "missing.jinja"));
        Assert.Contains("missing.jinja", error.Message, StringComparison.Ordinal);
    }

    private static string Render(ChatTemplate? template, string? tools = null)
    {
        return template!.Render(new ChatTemplateInput
        {
            Messages = JsonDocument.Parse("[]").RootElement,
            Tools = tools is null ? null : JsonDocument.Parse(tools).RootElement,
        }).Text;
    }
}
