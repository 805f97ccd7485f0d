using System.Text.Json;
using Sluice.Text;
using Sluice.Text.Reasoning;

namespace Sluice.Tests.Text;

/// <summary>R1 from the conversation to what a client sees: template, tokenizer, tokens back to text, and its thinking split off.</summary>
public sealed class DeepSeekR1Tests
{
    private const string Thought = "\nFirst 1 + 1, then … 你好\n";
    private const string Answer = "\n\nIt is **2**.";

    [Fact]
    public void Render_TurnsWithThoughts_LeavesThemOutAndOpensTheNextThought()
    {
        RenderedPrompt prompt = Render("""
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"},
             {"role": "assistant", "content": "<think>\nhm\n</think>\n\n2"}, {"role": "user", "content": "Sure? <think>"}]
            """);

        Assert.EndsWith("<｜User｜>Sure? <think><｜Assistant｜><think>\n", prompt.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("hm", prompt.Text, StringComparison.Ordinal);
        Tokenizer tokenizer = TestTokenizers.Get("deepseek_v3");
        int[] ids = tokenizer.Encode(prompt.Text, addSpecialTokens: false, prompt.ContentSpans);
        Assert.Equal(prompt.Text, tokenizer.Decode(ids));
        Assert.Equal(1, ids.Count(id => id == tokenizer.TokenId("<｜begin▁of▁sentence｜>")));
        Assert.Equal(2, ids.Count(id => id == tokenizer.TokenId("<｜Assistant｜>")));
        Assert.True(ReasoningParser.Create("deepseek_r1", prompt.Text).InReasoning);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("<think>", true)]
    [InlineData("<think>", false)]
    [InlineData("", false)]
    public void Append_TagsSplitOverTokensInEveryWay_GivesTheSameParts(string opening, bool isClosed)
    {
        Tokenizer tokenizer = TestTokenizers.Get("deepseek_v3");
        string output = opening + Thought + (isClosed ? "</think>" + Answer : "");
        for (int first = 0; first <= output.Length; first++)
        {
            for (int second = first; second <= Math.Min(output.Length, first + 9); second++)
            {
                int[] ids =
                [
                    .. tokenizer.Encode(output[..first], addSpecialTokens: false),
                    .. tokenizer.Encode(output[first..second], addSpecialTokens: false),
                    .. tokenizer.Encode(output[second..], addSpecialTokens: false),
                ];
                (string reasoning, string content) = Stream(tokenizer, ids);
                Assert.Equal(Thought, reasoning);
                Assert.Equal(isClosed ? Answer : "", content);
            }
        }
    }

    private static (string Reasoning, string Content) Stream(Tokenizer tokenizer, int[] ids)
    {
        // The prompt has opened the thought.
        ReasoningParser parser = ReasoningParser.Create("deepseek_r1", "<｜Assistant｜><think>\n");
        var detokenizer = new Detokenizer(tokenizer, skipSpecialTokens: true);
        string reasoning = "";
        string content = "";
        foreach (int id in ids)
        {
            Take(parser.Append(detokenizer.Append(id), tokenCount: 1));
        }

        Take(parser.Append(detokenizer.Flush()));
        Take(parser.Flush());
        return (reasoning, content);

        void Take(ReasoningDelta delta)
        {
            reasoning += delta.Reasoning;
            content += delta.Content;
        }
    }

    // The template of R1 and of the models distilled from it.
    private static RenderedPrompt Render(string messages)
    {
        string path = TestData.RequireShared("chat-templates", "deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja");
        ChatTemplate template = ChatTemplate.Parse(
            File.ReadAllText(path), new ChatTemplateTokens("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"));
        return template.Render(new ChatTemplateInput { Messages = JsonElement.Parse(messages) });
    }
}
