using CsCheck;
using Sluice.Text.Reasoning;

namespace Sluice.Tests.Text;

public class ReasoningParserTests
{
    private const string EmptyThinkPrompt = "<|im_start|>assistant\n<think>\n\n</think>\n\n";

    [Theory]
    [InlineData("deepseek_r1", "<think>abc</think>xyz", "abc", "xyz")]
    [InlineData("deepseek_r1", "abc</think>xyz", "abc", "xyz")]
    [InlineData("deepseek_r1", "abc", "abc", "")]
    [InlineData("deepseek_r1", "<think>abc", "abc", "")]
    [InlineData("deepseek_r1", "\n<think>\nabc\n</think>\n\nxyz", "\nabc\n", "\n\nxyz")]
    [InlineData("deepseek_r1", "abc</think>", "abc", "")]
    [InlineData("deepseek_r1", "a <think> b</think>c</think>d", "a <think> b", "c</think>d")]
    [InlineData("deepseek_r1", "a<tool_call>b", "a<tool_call>b", "")]
    [InlineData("qwen3", "<think>abc</think>xyz", "abc", "xyz")]
    [InlineData("qwen3", "abc</think>xyz", "abc", "xyz")]
    [InlineData("qwen3", "abc", "abc", "")]
    [InlineData("qwen3", "<think>\na\n<tool_call>\n{}</tool_call>", "\na\n", "<tool_call>\n{}</tool_call>")]
    [InlineData("qwen3", "", "", "")]
    [InlineData("qwen3", " <th", " <th", "")]
    public void Parse_CompleteOutput_SplitsAtTheTags(string name, string text, string reasoning, string content)
    {
        Assert.Equal(new ReasoningDelta(reasoning, content), ReasoningParser.Create(name).Parse(text));
    }

    [Theory]
    [InlineData("deepseek_r1", "<|Assistant|><think>\n", true, "abc", "")]
    [InlineData("deepseek_r1", EmptyThinkPrompt, true, "", "abc")]
    [InlineData("qwen3", EmptyThinkPrompt, true, "", "abc")]
    [InlineData("qwen3", "<|im_start|>assistant\n", true, "abc", "")]
    [InlineData("qwen3", "<|im_start|>assistant\n", false, "", "abc")]
    [InlineData("qwen3", "<think>\n", false, "abc", "")]
    [InlineData("qwen3", "<think>old</think>answer<|im_end|>\n<|im_start|>assistant\n", true, "abc", "")]
    public void Parse_PromptThatOpensOrClosesThinking_StartsThere(string name, string prompt, bool enableThinking, string reasoning, string content)
    {
        ReasoningParser parser = ReasoningParser.Create(name, prompt, enableThinking: enableThinking);
        Assert.Equal(reasoning.Length > 0, parser.InReasoning);
        Assert.Equal(new ReasoningDelta(reasoning, content), parser.Parse("abc"));
    }

    [Theory]
    [InlineData("<think>\nhalf a thou", true)]
    [InlineData("<think>a</think>half an ans", false)]
    [InlineData("no tag", true)]
    public void Create_ContinuedMessage_GoesOnWhereTheMessageIs(string prompt, bool inReasoning)
    {
        Assert.Equal(inReasoning, ReasoningParser.Create("deepseek_r1", prompt, continuesFinalMessage: true).InReasoning);
    }

    [Fact]
    public void Create_UnknownName_ListsTheKnownOnes()
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => ReasoningParser.Create("gpt5"));
        Assert.Contains("deepseek_r1, qwen3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Append_AnySplit_GivesTheSameTotal()
    {
        string[] alphabet = ["<think>", "</think>", "<tool_call>", "<", "</", "think", ">", " ", "\n", "a", "bc", "<thinking>", "</thin"];
        Gen<string> pieces = Gen.Int[0, alphabet.Length - 1].Select(index => alphabet[index]);
        Gen<string> texts = pieces.Array[0, 12].Select(string.Concat);
        Gen.Select(texts, Gen.Int[1, 4].Array[1, 40], Gen.Bool.Select(isDeepSeek => isDeepSeek ? "deepseek_r1" : "qwen3")).Sample((text, lengths, name) =>
        {
            ReasoningDelta whole = ReasoningParser.Create(name).Parse(text);
            ReasoningParser parser = ReasoningParser.Create(name);
            string reasoning = "";
            string content = "";
            int position = 0;
            for (int i = 0; position < text.Length; i++)
            {
                int length = Math.Min(lengths[i % lengths.Length], text.Length - position);
                ReasoningDelta delta = parser.Append(text.Substring(position, length));
                Assert.True(content.Length == 0 || delta.Reasoning.Length == 0, "reasoning after content");
                reasoning += delta.Reasoning;
                content += delta.Content;
                position += length;
            }

            ReasoningDelta rest = parser.Flush();
            Assert.Equal(whole, new ReasoningDelta(reasoning + rest.Reasoning, content + rest.Content));
        });
    }

    [Fact]
    public void Append_TextWithoutTags_IsNotHeldBack()
    {
        ReasoningParser parser = ReasoningParser.Create("deepseek_r1");
        Assert.Equal("Let me", parser.Append("Let me").Reasoning);
        Assert.Equal(" think", parser.Append(" think</").Reasoning);
        Assert.Equal("</ b", parser.Append(" b").Reasoning);
    }

    [Fact]
    public void ReasoningTokenCount_TokenByToken_LeavesTheTagsOut()
    {
        ReasoningParser parser = ReasoningParser.Create("deepseek_r1");
        foreach (string token in new[] { "<think>", "\n", "one", " two", "</think>", "\n", "answer" })
        {
            parser.Append(token, tokenCount: 1);
        }

        Assert.Equal(3, parser.ReasoningTokenCount);
    }
}
