using System.Net;
using System.Text.Json;
using Sluice.Server.Tests.Support;
using Sluice.Tests;

namespace Sluice.Server.Tests.Endpoints;

public sealed class CompletionsTests(Storyteller model)
{
    private const string Path = "/v1/completions";

    // Logprobs of the bundled model differ from float32 transformers by rounding of weights in other orders of addition.
    private const double LogprobTolerance = 2e-3;

    [Fact]
    public async Task Completion_GreedyCases_EqualTransformers()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        foreach (JsonElement item in Expected().GetProperty("cases").EnumerateArray())
        {
            string ids = item.GetProperty("ids").GetRawText();
            int count = item.GetProperty("greedy").GetArrayLength();
            JsonElement body = await server.PostOkAsync(
                Path, $$"""{"model":"storyteller","prompt":{{ids}},"temperature":0,"max_tokens":{{count}},"return_token_ids":true}""");
            int[] tokens = body.IntsAt("choices.0.token_ids");
            Assert.Equal(item.GetProperty("greedy").EnumerateArray().Select(static id => id.GetInt32()).Take(tokens.Length), tokens);
            Assert.Equal(item.GetProperty("ids").EnumerateArray().Select(static id => id.GetInt32()), body.IntsAt("choices.0.prompt_token_ids"));
        }
    }

    [Fact]
    public async Task Completion_Whole_HasVllmShape()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, """{"prompt":"Once upon a time","temperature":0,"max_tokens":5}""");
        Assert.Equal(
            ["id", "object", "created", "model", "choices", "service_tier", "system_fingerprint", "usage", "kv_transfer_params"],
            body.NamesOf());
        Assert.StartsWith("cmpl-", body.TextAt("id"), StringComparison.Ordinal);
        Assert.Equal("text_completion", body.TextAt("object"));
        Assert.Equal("storyteller", body.TextAt("model"));
        Assert.Equal(
            ["index", "text", "logprobs", "finish_reason", "stop_reason", "token_ids", "prompt_logprobs", "prompt_token_ids"],
            body.At("choices.0").NamesOf());
        Assert.Equal("length", body.TextAt("choices.0.finish_reason"));
        Assert.True(body.IsNullAt("choices.0.stop_reason"));
        Assert.True(body.IsNullAt("choices.0.logprobs"));
        Assert.Equal(5, body.IntAt("usage.completion_tokens"));
        Assert.Equal(body.IntAt("usage.prompt_tokens") + 5, body.IntAt("usage.total_tokens"));
        Assert.True(body.IsNullAt("usage.prompt_tokens_details"));
    }

    [Fact]
    public async Task Completion_NoMaxTokens_Makes16()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, """{"prompt":"Once upon a time","max_tokens":null,"ignore_eos":true}""");
        Assert.Equal(16, body.IntAt("usage.completion_tokens"));
    }

    [Fact]
    public async Task Completion_ListsOfPrompts_AnswerInOrder()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string[] singles = new string[2];
        string[] prompts = ["The king", "A small dog"];
        for (int i = 0; i < 2; i++)
        {
            JsonElement one = await server.PostOkAsync(Path, $$"""{"prompt":"{{prompts[i]}}","temperature":0,"max_tokens":8}""");
            singles[i] = one.TextAt("choices.0.text")!;
        }

        JsonElement texts = await server.PostOkAsync(Path, """{"prompt":["The king","A small dog"],"temperature":0,"max_tokens":8}""");
        Assert.Equal(singles[0], texts.TextAt("choices.0.text"));
        Assert.Equal(singles[1], texts.TextAt("choices.1.text"));
        Assert.Equal(1, texts.IntAt("choices.1.index"));

        int[] first = await TokenizeAsync(server, prompts[0]);
        int[] second = await TokenizeAsync(server, prompts[1]);
        string ids = $"[[{string.Join(',', first)}],[{string.Join(',', second)}]]";
        JsonElement lists = await server.PostOkAsync(Path, $$"""{"prompt":{{ids}},"temperature":0,"max_tokens":8}""");
        Assert.Equal(singles[0], lists.TextAt("choices.0.text"));
        Assert.Equal(singles[1], lists.TextAt("choices.1.text"));
        Assert.Equal(first.Length + second.Length, lists.IntAt("usage.prompt_tokens"));
    }

    [Fact]
    public async Task Completion_SeveralChoices_AreIndexedPromptByPrompt()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, """{"prompt":["The king","A dog"],"n":3,"seed":7,"max_tokens":6,"temperature":1}""");
        Assert.Equal(6, body.At("choices").GetArrayLength());
        Assert.Equal([0, 1, 2, 3, 4, 5], body.At("choices").EnumerateArray().Select(static choice => choice.IntAt("index")));
        JsonElement again = await server.PostOkAsync(Path, """{"prompt":["The king","A dog"],"n":3,"seed":7,"max_tokens":6,"temperature":1}""");
        Assert.Equal(
            body.At("choices").EnumerateArray().Select(static choice => choice.TextAt("text")),
            again.At("choices").EnumerateArray().Select(static choice => choice.TextAt("text")));
    }

    [Fact]
    public async Task Completion_Logprobs_EqualExpectedAndCarryOffsets()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement item = Expected().At("cases.0");
        JsonElement body = await server.PostOkAsync(
            Path, $$"""{"prompt":{{item.GetProperty("ids").GetRawText()}},"temperature":0,"max_tokens":8,"logprobs":2}""");
        JsonElement logprobs = body.At("choices.0.logprobs");
        Assert.Equal(["text_offset", "token_logprobs", "tokens", "top_logprobs"], logprobs.NamesOf());
        int offset = 0;
        for (int i = 0; i < 8; i++)
        {
            double expected = item.At($"steps.{i}.logprob").GetDouble();
            Assert.Equal(expected, logprobs.At($"token_logprobs.{i}").GetDouble(), LogprobTolerance);
            Assert.Equal(offset, logprobs.IntAt($"text_offset.{i}"));
            offset += logprobs.TextAt($"tokens.{i}")!.Length;
            Assert.InRange(logprobs.At($"top_logprobs.{i}").GetPropertyCount(), 1, 3);
        }

        Assert.Equal(body.TextAt("choices.0.text"), string.Concat(logprobs.At("tokens").EnumerateArray().Select(static t => t.GetString())));
    }

    [Fact]
    public async Task Completion_EchoOnly_ScoresThePrompt()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement expected = Expected();
        int[] ids = [.. expected.GetProperty("heldout_ids").EnumerateArray().Take(100).Select(static id => id.GetInt32())];
        JsonElement body = await server.PostOkAsync(
            Path, $$"""{"prompt":[{{string.Join(',', ids)}}],"max_tokens":0,"echo":true,"logprobs":0,"return_token_ids":true}""");
        JsonElement logprobs = body.At("choices.0.logprobs");
        Assert.Equal(100, logprobs.At("tokens").GetArrayLength());
        Assert.True(logprobs.IsNullAt("token_logprobs.0"));
        Assert.True(logprobs.IsNullAt("top_logprobs.0"));
        for (int i = 1; i < 100; i++)
        {
            Assert.Equal(
                expected.At($"heldout_logprobs.{i - 1}").GetDouble(), logprobs.At($"token_logprobs.{i}").GetDouble(), LogprobTolerance);
        }

        Assert.Equal("length", body.TextAt("choices.0.finish_reason"));
        Assert.Equal(0, body.IntAt("usage.completion_tokens"));
        Assert.Empty(body.IntsAt("choices.0.token_ids"));
    }

    [Fact]
    public async Task Completion_Echo_PutsThePromptFirst()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string request = """{"prompt":"Once upon a time","temperature":0,"max_tokens":4,"echo":true,"logprobs":1,"add_special_tokens":false}""";
        JsonElement body = await server.PostOkAsync(Path, request);
        string text = body.TextAt("choices.0.text")!;
        Assert.StartsWith("Once upon a time", text, StringComparison.Ordinal);
        Assert.Equal(text, string.Concat(body.At("choices.0.logprobs.tokens").EnumerateArray().Select(static token => token.GetString())));
        List<string> events = await server.StreamAsync(Path, request[..^1] + ""","stream":true}""");
        Assert.Equal(text, string.Concat(events.SkipLast(1).Select(static e => TestServer.Parse(e).TextAt("choices.0.text"))));
    }

    [Fact]
    public async Task Completion_PromptLogprobs_HaveVllmShape()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, """{"prompt":[1,462,500],"max_tokens":1,"prompt_logprobs":2}""");
        JsonElement list = body.At("choices.0.prompt_logprobs");
        Assert.Equal(3, list.GetArrayLength());
        Assert.Equal(JsonValueKind.Null, list[0].ValueKind);
        Assert.Equal(["logprob", "rank", "decoded_token"], list[1].GetProperty("462").NamesOf());
    }

    [Theory]
    [InlineData("""{"prompt":"Once upon a time","temperature":0,"max_tokens":40,"stop":" King"}""", "stop", "\" King\"")]
    [InlineData("""{"prompt":"Once upon a time","temperature":0,"max_tokens":40,"stop":[" King"],"include_stop_str_in_output":true}""", "stop", "\" King\"")]
    [InlineData("""{"prompt":[1,2041,2],"temperature":0,"max_tokens":2,"ignore_eos":true}""", "length", "null")]
    public async Task Completion_Ends_SaysWhy(string request, string reason, string stopReason)
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(Path, request);
        Assert.Equal(reason, body.TextAt("choices.0.finish_reason"));
        Assert.Equal(stopReason, body.At("choices.0.stop_reason").GetRawText());
        if (reason == "stop")
        {
            bool includes = request.Contains("include_stop", StringComparison.Ordinal);
            Assert.Equal(includes, body.TextAt("choices.0.text")!.EndsWith(" King", StringComparison.Ordinal));
            Assert.Equal(includes, body.TextAt("choices.0.text")!.Contains(" King", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Completion_StopTokenId_IsTheStopReason()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement item = Expected().At("cases.0");
        int third = item.IntAt("greedy.2");
        JsonElement body = await server.PostOkAsync(
            Path, $$"""{"prompt":{{item.GetProperty("ids").GetRawText()}},"temperature":0,"max_tokens":9,"stop_token_ids":[{{third}}]}""");
        Assert.Equal(third, body.IntAt("choices.0.stop_reason"));
        Assert.Equal("stop", body.TextAt("choices.0.finish_reason"));
    }

    [Fact]
    public async Task Completion_TokensAsIds_WritesIds()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement body = await server.PostOkAsync(
            Path, """{"prompt":"The king","temperature":0,"max_tokens":3,"logprobs":1,"return_tokens_as_token_ids":true,"return_token_ids":true}""");
        int[] ids = body.IntsAt("choices.0.token_ids");
        Assert.Equal(
            ids.Select(static id => $"token_id:{id}"), body.At("choices.0.logprobs.tokens").EnumerateArray().Select(static t => t.GetString()!));
    }

    [Fact]
    public async Task Completion_TruncatePromptTokens_KeepsTheEnd()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement left = await server.PostOkAsync(
            Path, """{"prompt":[10,11,12,13,14],"max_tokens":1,"truncate_prompt_tokens":3,"return_token_ids":true}""");
        Assert.Equal([12, 13, 14], left.IntsAt("choices.0.prompt_token_ids"));
        JsonElement right = await server.PostOkAsync(
            Path, """{"prompt":[10,11,12,13,14],"max_tokens":1,"truncate_prompt_tokens":3,"truncation_side":"right","return_token_ids":true}""");
        Assert.Equal([10, 11, 12], right.IntsAt("choices.0.prompt_token_ids"));
    }

    [Fact]
    public async Task Completion_BadWordsAndAllowedIds_RuleTheChoice()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        JsonElement plain = await server.PostOkAsync(Path, """{"prompt":"Once upon a time","temperature":0,"max_tokens":4}""");
        string word = plain.TextAt("choices.0.text")!.Trim().Split(' ')[0];
        JsonElement banned = await server.PostOkAsync(
            Path, $$"""{"prompt":"Once upon a time","temperature":0,"max_tokens":4,"bad_words":["{{word}}"]}""");
        Assert.DoesNotContain(" " + word, banned.TextAt("choices.0.text"), StringComparison.Ordinal);
        JsonElement allowed = await server.PostOkAsync(
            Path, """{"prompt":"Once upon a time","temperature":0,"max_tokens":4,"allowed_token_ids":[500,501],"return_token_ids":true}""");
        Assert.All(allowed.IntsAt("choices.0.token_ids"), static id => Assert.InRange(id, 500, 501));
        JsonElement biased = await server.PostOkAsync(
            Path, """{"prompt":"Once upon a time","temperature":0,"max_tokens":1,"logit_bias":{"777":100},"return_token_ids":true}""");
        Assert.Equal([777], biased.IntsAt("choices.0.token_ids"));
    }

    [Fact]
    public async Task Completion_Stream_HasVllmOrder()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string request = """{"prompt":"Once upon a time","temperature":0,"max_tokens":12""";
        JsonElement whole = await server.PostOkAsync(Path, request + "}");
        List<string> events = await server.StreamAsync(Path, request + ""","stream":true,"stream_options":{"include_usage":true}}""");
        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] chunks = [.. events.SkipLast(1).Select(TestServer.Parse)];
        Assert.Equal(["id", "object", "created", "model", "choices"], chunks[0].NamesOf());
        Assert.Equal(
            ["index", "text", "logprobs", "finish_reason", "stop_reason", "prompt_token_ids", "token_ids"], chunks[0].At("choices.0").NamesOf());
        Assert.Equal(0, chunks[^1].At("choices").GetArrayLength());
        Assert.Equal(12, chunks[^1].IntAt("usage.completion_tokens"));
        Assert.Equal("length", chunks[^2].TextAt("choices.0.finish_reason"));
        Assert.All(chunks[..^2], static chunk => Assert.True(chunk.IsNullAt("choices.0.finish_reason")));
        Assert.Equal(whole.TextAt("choices.0.text"), string.Concat(chunks[..^1].Select(static chunk => chunk.TextAt("choices.0.text"))));
    }

    [Fact]
    public async Task Completion_StreamInterval_JoinsTokens()
    {
        await using TestServer server = await TestServer.StartAsync(model.Engine);
        string request = """{"prompt":"Once upon a time","temperature":0,"max_tokens":21,"stream":true,"return_token_ids":true,"stream_interval":10}""";
        List<string> events = await server.StreamAsync(Path, request);
        JsonElement[] chunks = [.. events.SkipLast(1).Select(TestServer.Parse)];
        Assert.InRange(chunks.Length, 2, 4);
        Assert.Equal(21, chunks.Sum(static chunk => chunk.At("choices.0.token_ids").GetArrayLength()));
    }

    [Fact]
    public async Task Completion_CachedPrefix_IsToldWhereAsked()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { EnablePromptTokensDetails = true });
        string ids = string.Join(',', Enumerable.Range(100, 65));
        string request = $$"""{"prompt":[{{ids}}],"max_tokens":1,"cache_salt":"a salt of this test"}""";
        JsonElement cold = await server.PostOkAsync(Path, request);
        JsonElement warm = await server.PostOkAsync(Path, request);
        Assert.Equal(0, cold.IntAt("usage.prompt_tokens_details.cached_tokens"));
        Assert.Equal(64, warm.IntAt("usage.prompt_tokens_details.cached_tokens"));
        JsonElement other = await server.PostOkAsync(Path, request.Replace("a salt", "another", StringComparison.Ordinal));
        Assert.Equal(0, other.IntAt("usage.prompt_tokens_details.cached_tokens"));
    }

    [Fact]
    public async Task Completion_RequestId_IsEchoed()
    {
        await using TestServer server = await TestServer.StartAsync(
            model.Engine, static options => options with { EnableRequestIdHeaders = true });
        using HttpRequestMessage request = new(HttpMethod.Post, Path) { Content = TestServer.Json("""{"prompt":"A","max_tokens":1}""") };
        request.Headers.Add("X-Request-Id", "mine-1");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("mine-1", Assert.Single(response.Headers.GetValues("X-Request-Id")));
        Assert.Equal("cmpl-mine-1", TestServer.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).TextAt("id"));
    }

    private static async Task<int[]> TokenizeAsync(TestServer server, string text) =>
        (await server.PostOkAsync("/tokenize", JsonSerializer.Serialize(new { prompt = text }))).IntsAt("tokens");

    private static JsonElement Expected() =>
        TestServer.Parse(File.ReadAllText(System.IO.Path.Combine(TestData.Storyteller, "expected.json")));
}
