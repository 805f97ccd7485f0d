using System.Net;
using System.Text.Json;
using Sluice.Server.Tests.Support;
using Sluice.Tests;

namespace Sluice.Server.Tests;

/// <summary>Tiny models of each family without a tokenizer, over HTTP with token ids, against what transformers computes.</summary>
public sealed class ReferenceModelTests
{
    // Both compute in float32, in another order of additions.
    private const double LogprobTolerance = 2e-3;

    // Under this difference of the two best logits rounding may choose the other token.
    private const double LeastMargin = 0.01;

    [Theory]
    [MemberData(nameof(TestData.ReferenceModels), MemberType = typeof(TestData))]
    public async Task Completion_TokenIds_EqualTransformers(string name)
    {
        string folder = TestData.ReferenceModel(name);
        await using LlmEngine engine = await LoadAsync(folder);
        await using TestServer server = await TestServer.StartAsync(engine);
        JsonElement expected =
            TestServer.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "expected.json"), TestContext.Current.CancellationToken));
        foreach (JsonElement item in expected.GetProperty("cases").EnumerateArray())
        {
            string prompt = item.GetProperty("prompt").GetRawText();
            int count = item.GetProperty("greedy").GetArrayLength();
            JsonElement body = await server.PostOkAsync(
                "/v1/completions",
                $$"""{"prompt":{{prompt}},"temperature":0,"max_tokens":{{count}},"ignore_eos":true,"logprobs":5,"prompt_logprobs":0,"return_token_ids":true}""");
            CheckPrompt(item, body.At("choices.0.prompt_logprobs"));
            CheckGreedy(item, body.At("choices.0"));
            Assert.Equal("", body.TextAt("choices.0.text"));
        }
    }

    [Fact]
    public async Task Requests_WithoutTokenizer_SayWhatToDo()
    {
        await using LlmEngine engine = await LoadAsync(TestData.ReferenceModel("llama"));
        await using TestServer server = await TestServer.StartAsync(engine);
        await CheckRefusalAsync(server, "/v1/completions", """{"prompt":"text"}""", "prompt", "prompt must be token ids");
        await CheckRefusalAsync(server, "/v1/completions", """{"prompt":[1],"stop":"x"}""", "stop", "stop needs a tokenizer");
        await CheckRefusalAsync(server, "/v1/completions", """{"prompt":[1],"bad_words":["x"]}""", "bad_words", "bad_words needs a tokenizer");
        await CheckRefusalAsync(
            server, "/v1/chat/completions", """{"messages":[{"role":"user","content":"a"}]}""", "messages", "served without a tokenizer");
        await CheckRefusalAsync(server, "/tokenize", """{"prompt":"a"}""", "prompt", "served without a tokenizer");
        await CheckRefusalAsync(server, "/detokenize", """{"tokens":[1]}""", "tokens", "served without a tokenizer");
        List<string> events = await server.StreamAsync(
            "/v1/completions", """{"prompt":[1,2],"max_tokens":3,"ignore_eos":true,"stream":true,"return_token_ids":true}""");
        Assert.Equal(3, events.SkipLast(1).Sum(static text => TestServer.Parse(text).At("choices.0.token_ids").GetArrayLength()));
    }

    private static Task<LlmEngine> LoadAsync(string folder) => LlmEngine.LoadAsync(
        new EngineOptions { Model = folder, Device = DeviceKind.Cpu, KvCacheMemoryBytes = 16 << 20, CpuThreads = 1 },
        cancellation: TestContext.Current.CancellationToken);

    private static async Task CheckRefusalAsync(TestServer server, string path, string body, string parameter, string message)
    {
        (HttpStatusCode status, JsonElement answer) = await server.PostAsync(path, body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(parameter, answer.TextAt("error.param"));
        Assert.Contains(message, answer.TextAt("error.message"), StringComparison.Ordinal);
    }

    private static void CheckPrompt(JsonElement item, JsonElement logprobs)
    {
        JsonElement expected = item.GetProperty("prompt_logprobs");
        Assert.Equal(expected.GetArrayLength(), logprobs.GetArrayLength());
        for (int i = 1; i < expected.GetArrayLength(); i++)
        {
            string id = item.At($"prompt.{i}").GetRawText();
            Assert.Equal(expected[i].GetDouble(), logprobs[i].GetProperty(id).GetProperty("logprob").GetDouble(), LogprobTolerance);
        }
    }

    private static void CheckGreedy(JsonElement item, JsonElement choice)
    {
        int[] tokens = choice.IntsAt("token_ids");
        for (int step = 0; step < tokens.Length; step++)
        {
            JsonElement expected = item.At($"steps.{step}");
            JsonElement top = choice.At($"logprobs.top_logprobs.{step}");
            int rank = 0;
            foreach (JsonElement id in expected.GetProperty("top_ids").EnumerateArray())
            {
                if (top.TryGetProperty($"token_id:{id.GetRawText()}", out JsonElement logprob))
                {
                    Assert.Equal(expected.At($"top_logprobs.{rank}").GetDouble(), logprob.GetDouble(), LogprobTolerance);
                }

                rank++;
            }

            if (tokens[step] != expected.IntAt("token"))
            {
                // From here on the two go different ways.
                Assert.True(expected.GetProperty("margin").GetDouble() < LeastMargin, $"step {step}");
                return;
            }
        }
    }
}
