using System.Text.Json;
using Sluice.Server.Tests.Support;

namespace Sluice.Server.Tests.Endpoints;

public sealed class ChatCompletionsTests(Storyteller model)
{
    private const string Path = "/v1/chat/completions";
    private const string Messages = "\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story about a dog.\"}]";

    [Fact]
    public async Task Chat_Whole_HasVllmShape()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, $$"""{{{Messages}},"temperature":0,"max_tokens":6}""");
        Assert.Equal(
            [
                "id", "object", "created", "model", "choices", "service_tier", "system_fingerprint", "usage", "prompt_logprobs",
                "prompt_token_ids", "prompt_text", "kv_transfer_params",
            ],
            body.NamesOf());
        Assert.StartsWith("chatcmpl-", body.TextAt("id"), StringComparison.Ordinal);
        Assert.Equal("chat.completion", body.TextAt("object"));
        Assert.Equal(["index", "message", "logprobs", "finish_reason", "stop_reason", "token_ids"], body.At("choices.0").NamesOf());
        Assert.Equal(
            ["role", "content", "refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning", "reasoning_content"],
            body.At("choices.0.message").NamesOf());
        Assert.Equal("assistant", body.TextAt("choices.0.message.role"));
        Assert.Equal(0, body.At("choices.0.message.tool_calls").GetArrayLength());
        Assert.Equal("length", body.TextAt("choices.0.finish_reason"));
        Assert.Equal(6, body.IntAt("usage.completion_tokens"));
    }

    [Fact]
    public async Task Chat_Stream_HasVllmOrderAndTheSameText()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string request = $$"""{{{Messages}},"temperature":0,"max_tokens":20""";
        JsonElement whole = await server.PostOkAsync(Path, request + "}");
        List<string> events = await server.StreamAsync(Path, request + ""","stream":true,"stream_options":{"include_usage":true}}""");
        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] chunks = [.. events.SkipLast(1).Select(TestServer.Parse)];
        Assert.Equal(
            """[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]""",
            chunks[0].At("choices").GetRawText());
        Assert.Equal(["id", "object", "created", "model", "choices", "prompt_token_ids", "prompt_text"], chunks[0].NamesOf());
        Assert.Equal(["index", "delta", "logprobs", "finish_reason", "token_ids"], chunks[1].At("choices.0").NamesOf());
        Assert.Equal(["content"], chunks[1].At("choices.0.delta").NamesOf());
        Assert.Equal(["index", "delta", "logprobs", "finish_reason", "stop_reason", "token_ids"], chunks[^2].At("choices.0").NamesOf());
        Assert.Equal("length", chunks[^2].TextAt("choices.0.finish_reason"));
        Assert.Equal(0, chunks[^1].At("choices").GetArrayLength());
        Assert.Equal(["prompt_tokens", "total_tokens", "completion_tokens"], chunks[^1].At("usage").NamesOf());
        Assert.Equal(20, chunks[^1].IntAt("usage.completion_tokens"));
        Assert.Equal(
            whole.TextAt("choices.0.message.content"),
            string.Concat(chunks[1..^1].Select(static chunk => chunk.TextAt("choices.0.delta.content"))));
        Assert.Single(chunks.Select(static chunk => chunk.TextAt("id")).Distinct());
        Assert.True(chunks[^1].TryGetProperty("system_fingerprint", out _));
        Assert.False(chunks[^2].TryGetProperty("system_fingerprint", out _));
    }

    [Fact]
    public async Task Chat_ContinuousUsage_IsOnEveryChunk()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        List<string> events = await server.StreamAsync(
            Path,
            "{" + Messages
            + ""","max_tokens":5,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}""");
        JsonElement[] chunks = [.. events.SkipLast(1).Select(TestServer.Parse)];
        Assert.Equal(0, chunks[0].IntAt("usage.completion_tokens"));
        int[] counts = [.. chunks.Select(static chunk => chunk.IntAt("usage.completion_tokens"))];
        Assert.Equal(counts.Order(), counts);
        Assert.Equal(5, counts[^1]);
        Assert.Equal(5, counts[^2]);
    }

    [Fact]
    public async Task Chat_ForcedUsage_ComesUnasked()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { EnableForceIncludeUsage = true });
        List<string> events = await server.StreamAsync(Path, $$"""{{{Messages}},"max_tokens":2,"stream":true}""");
        Assert.All(events.SkipLast(1), static text => Assert.True(TestServer.Parse(text).TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task Chat_SeveralChoices_EachHasRoleAndEnd()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string request = $$"""{{{Messages}},"n":3,"seed":5,"temperature":1,"max_tokens":10""";
        JsonElement whole = await server.PostOkAsync(Path, request + "}");
        List<string> events = await server.StreamAsync(Path, request + ""","stream":true}""");
        JsonElement[] chunks = [.. events.SkipLast(1).Select(TestServer.Parse)];
        Assert.Equal([0, 1, 2], chunks[..3].Select(static chunk => chunk.IntAt("choices.0.index")));
        Assert.All(chunks[..3], static chunk => Assert.Equal("assistant", chunk.TextAt("choices.0.delta.role")));
        for (int index = 0; index < 3; index++)
        {
            JsonElement[] own = [.. chunks[3..].Where(chunk => chunk.IntAt("choices.0.index") == index)];
            Assert.False(own[^1].IsNullAt("choices.0.finish_reason"));
            Assert.Equal(
                whole.TextAt($"choices.{index}.message.content"),
                string.Concat(own.Select(static chunk => chunk.TextAt("choices.0.delta.content"))));
        }
    }

    [Fact]
    public async Task Chat_Logprobs_HaveOpenAiShape()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(
            Path, $$"""{{{Messages}},"temperature":0,"max_tokens":4,"logprobs":true,"top_logprobs":3}""");
        JsonElement content = body.At("choices.0.logprobs.content");
        Assert.Equal(4, content.GetArrayLength());
        foreach (JsonElement position in content.EnumerateArray())
        {
            Assert.Equal(["token", "logprob", "bytes", "top_logprobs"], position.NamesOf());
            Assert.Equal(3, position.At("top_logprobs").GetArrayLength());

            // Greedy: the likeliest is the chosen one.
            Assert.Equal(position.TextAt("token"), position.TextAt("top_logprobs.0.token"));
            Assert.Equal(position.At("logprob").GetDouble(), position.At("top_logprobs.0.logprob").GetDouble());
            Assert.Equal(position.TextAt("token"), System.Text.Encoding.UTF8.GetString([.. position.IntsAt("bytes").Select(static b => (byte)b)]));
        }

        Assert.Equal(
            body.TextAt("choices.0.message.content"), string.Concat(content.EnumerateArray().Select(static position => position.TextAt("token"))));
    }

    [Fact]
    public async Task Chat_ReturnTokenIds_GivesPromptAndAnswer()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string request = $$"""{{{Messages}},"temperature":0,"max_tokens":6,"return_token_ids":true""";
        JsonElement whole = await server.PostOkAsync(Path, request + "}");
        JsonElement tokens = await server.PostOkAsync("/tokenize", $$"""{{{Messages}}}""");
        Assert.Equal(tokens.IntsAt("tokens"), whole.IntsAt("prompt_token_ids"));
        List<string> events = await server.StreamAsync(Path, request + ""","stream":true}""");
        JsonElement[] chunks = [.. events.SkipLast(1).Select(TestServer.Parse)];
        Assert.Equal(tokens.IntsAt("tokens"), chunks[0].IntsAt("prompt_token_ids"));
        Assert.Equal(whole.IntsAt("choices.0.token_ids"), chunks[1..].SelectMany(static chunk => chunk.IntsAt("choices.0.token_ids")));
    }

    [Fact]
    public async Task Chat_ContinueFinalMessage_GoesOnWithIt()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        const string conversation =
            """
            "messages":[{"role":"user","content":"A story."},{"role":"assistant","content":"Once upon a"}],
            "add_generation_prompt":false,"continue_final_message":true
            """;
        JsonElement tokens = await server.PostOkAsync("/tokenize", $$"""{{{conversation}}}""");
        JsonElement text = await server.PostOkAsync("/detokenize", $$"""{"tokens":{{tokens.At("tokens").GetRawText()}}}""");
        Assert.EndsWith("<|assistant|>Once upon a", text.TextAt("prompt"), StringComparison.Ordinal);
        JsonElement body = await server.PostOkAsync(Path, $$"""{{{conversation}},"echo":true,"temperature":0,"max_tokens":2}""");
        Assert.StartsWith("Once upon a time", body.TextAt("choices.0.message.content"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_SpecialTokenInContent_IsOnlyText()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement tokens = await server.PostOkAsync(
            "/tokenize", """{"messages":[{"role":"user","content":"<|end|><|assistant|>"}]}""");
        int[] ids = tokens.IntsAt("tokens");
        Assert.Single(ids, 6);
        Assert.Single(ids, 5);
        JsonElement raw = await server.PostOkAsync("/tokenize", """{"prompt":"<|end|><|assistant|>","add_special_tokens":false}""");
        Assert.Equal([6, 5], raw.IntsAt("tokens"));
    }

    [Fact]
    public async Task Chat_OwnTemplateWhereTrusted_IsUsed()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { TrustRequestChatTemplate = true });
        JsonElement body = await server.PostOkAsync(
            Path,
            $$$"""{{{{Messages}}},"max_tokens":1,"return_prompt_text":true,"chat_template":"{{ bos_token }}{{ mood }} {{ messages|length }}","chat_template_kwargs":{"mood":"merry"}}""");
        Assert.Equal("<|bos|>merry 1", body.TextAt("prompt_text"));
    }

    [Fact]
    public async Task Chat_ToolsShownOnly_Works()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(
            Path,
            "{" + Messages + ""","max_tokens":1,"tool_choice":"none","tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}""");
        Assert.Equal("length", body.TextAt("choices.0.finish_reason"));
    }

    [Fact]
    public async Task Chat_UnknownFieldsAndNulls_AreIgnored()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(
            Path,
            $$"""{{{Messages}},"max_tokens":1,"temperature":null,"stop":null,"tools":null,"tool_choice":null,"response_format":null,"metadata":{"a":1},"store":false,"my_field":[1,{"x":2}],"guided_json":null}""");
        Assert.Equal(1, body.IntAt("usage.completion_tokens"));
    }

    [Fact]
    public async Task Chat_NoMaxTokens_MayFillTheContext()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, $$"""{{{Messages}},"temperature":0,"ignore_eos":true}""");
        Assert.Equal(512, body.IntAt("usage.total_tokens"));
        Assert.Equal("length", body.TextAt("choices.0.finish_reason"));
    }

    [Fact]
    public async Task Chat_ReasoningParser_SplitsWholeAndStreamAlike()
    {
        // The model never thinks; a bias on the pieces of the closing tag is no option, so the answer without a tag is all thinking.
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { ReasoningParser = "deepseek_r1" });
        string request = $$"""{{{Messages}},"temperature":0,"max_tokens":12""";
        JsonElement whole = await server.PostOkAsync(Path, request + "}");
        Assert.True(whole.IsNullAt("choices.0.message.content"));
        string reasoning = whole.TextAt("choices.0.message.reasoning")!;
        Assert.NotEmpty(reasoning);
        Assert.Equal(reasoning, whole.TextAt("choices.0.message.reasoning_content"));
        Assert.Equal(12, whole.IntAt("usage.completion_tokens_details.reasoning_tokens"));
        List<string> events = await server.StreamAsync(Path, request + ""","stream":true}""");
        string streamed = string.Concat(events.SkipLast(1).Select(TestServer.Parse).Select(static chunk =>
            chunk.At("choices.0.delta").TryGetProperty("reasoning", out JsonElement value) ? value.GetString() : ""));
        Assert.Equal(reasoning, streamed);
        JsonElement hidden = await server.PostOkAsync(Path, request + ""","include_reasoning":false}""");
        Assert.True(hidden.IsNullAt("choices.0.message.reasoning"));
    }
}
