using System.Text.Json;
using Sluice.Text;

namespace Sluice.Tests.Text;

public class BundledChatTemplateTests
{
    private static readonly ChatTemplate Template = ChatTemplateLoader.Load(TestData.Storyteller, null)!;

    [Fact]
    public void Render_UserMessage_TrimsItAndTracksIt()
    {
        Assert.Equal(ChatContentFormat.String, Template.ContentFormat);
        RenderedPrompt prompt = Render("""[{"role":"user","content":"  Tell me a <|end|> story.\n"}]""");
        Assert.Equal("<|bos|><|user|>Tell me a <|end|> story.<|end|><|assistant|>", prompt.Text);
        TextSpan span = Assert.Single(prompt.ContentSpans);
        Assert.Equal("Tell me a <|end|> story.", prompt.Text.Substring(span.Start, span.Length));
    }

    [Fact]
    public void Render_RoleThatIsNotSupported_SaysSo()
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => Render("""[{"role":"tool","content":"x"}]"""));
        Assert.Equal("Only the roles system, user and assistant are supported.", error.Message);
    }

    private static RenderedPrompt Render(string messages)
    {
        using JsonDocument document = JsonDocument.Parse(messages);
        return Template.Render(new ChatTemplateInput { Messages = document.RootElement });
    }
}
