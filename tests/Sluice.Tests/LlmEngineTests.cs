using System.Text.Json;
using Sluice.Requests;
using Sluice.Tests.Execution;

namespace Sluice.Tests;

public sealed class LlmEngineTests
{
    private static readonly EngineOptions Llama = new() { Model = TestData.ReferenceModel("llama"), MaxModelLen = 96 };

    private static GenerationRequest Request(int[] prompt, SamplingParams? sampling = null, string id = "r") =>
        new() { Id = id, PromptTokenIds = prompt, Sampling = sampling ?? new SamplingParams { MaxTokens = 4, Temperature = 0 } };

    [Fact]
    public async Task LoadAsync_FolderWithoutTokenizer_ServesIdsWithOneNotice()
    {
        await using LlmEngine engine = await EngineRun.LoadAsync(Llama);
        Assert.Null(engine.Tokenizer);
        Assert.Null(engine.ChatTemplate);
        Assert.EndsWith("has no tokenizer.json: only token ids are served, as with --skip-tokenizer-init.", Assert.Single(engine.Notices));
        Assert.Equal((96, 2048, 128, 16), (engine.MaxModelLen, engine.Options.MaxNumBatchedTokens!.Value, engine.Options.MaxNumSeqs!.Value,
            engine.Options.BlockSize!.Value));
        Assert.Equal(128 * 6, engine.Stats.KvBlocksTotal);
        Assert.True(engine.IsHealthy);
    }

    [Fact]
    public async Task LoadAsync_BundledModel_HasItsTokenizerAndTemplateDefaults()
    {
        await using LlmEngine engine = await EngineRun.LoadAsync(new EngineOptions { Model = TestData.Storyteller });
        Assert.NotNull(engine.Tokenizer);
        Assert.Empty(engine.Notices);
        string path = Path.Combine(TestData.Storyteller, "expected.json");
        using JsonDocument expected = JsonDocument.Parse(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
        JsonElement story = expected.RootElement.GetProperty("cases")[0];
        int[] greedy = [.. story.GetProperty("greedy").EnumerateArray().Select(id => id.GetInt32())];
        int[] prompt = engine.Tokenizer.Encode(story.GetProperty("name").GetString()!);
        var ids = new List<int>();
        await foreach (TokenOutput output in engine.Submit(Request(prompt, new SamplingParams { MaxTokens = 20, Temperature = 0 })))
        {
            ids.AddRange(output.TokenIds);
        }

        Assert.Equal(greedy[..20], ids);
    }

    [Theory]
    [InlineData("max_num_batched_tokens (4) must be greater than or equal to max_num_seqs (8).")]
    [InlineData("max_num_batched_tokens (32) is smaller than max_model_len (96).")]
    [InlineData("--block-size must be 1, 2, 4, 8 or a multiple of 16, got 5.")]
    [InlineData("--max-num-seqs must be at least 1, got 0.")]
    [InlineData("User-specified max_model_len (100000) is greater than the derived max_model_len")]
    [InlineData("To serve at least one request with the model's max seq len (96),")]
    [InlineData("--gpu-memory-utilization must be in (0, 1], got NaN.")]
    public async Task LoadAsync_OptionsThatContradict_SayWhat(string message)
    {
        EngineOptions options = message[0..26] switch
        {
            "max_num_batched_tokens (4)" => Llama with { MaxNumBatchedTokens = 4, MaxNumSeqs = 8 },
            "max_num_batched_tokens (32" => Llama with { MaxNumBatchedTokens = 32, EnableChunkedPrefill = false },
            "--block-size must be 1, 2," => Llama with { BlockSize = 5 },
            "--max-num-seqs must be at " => Llama with { MaxNumSeqs = 0 },
            "User-specified max_model_l" => Llama with { MaxModelLen = 100_000 },
            "To serve at least one requ" => Llama with { NumGpuBlocksOverride = 5 },
            _ => Llama with { GpuMemoryUtilization = double.NaN },
        };
        var error = await Assert.ThrowsAsync<UserErrorException>(() => EngineRun.LoadAsync(options));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_RequestsThatCannotBeServed_AreRefusedWithTheReason()
    {
        await using LlmEngine engine = await EngineRun.LoadAsync(Llama);
        int vocabulary = engine.VocabularySize;
        void Refused(GenerationRequest request, string parameter, string message)
        {
            var error = Assert.Throws<RequestValidationException>(() => engine.Submit(request));
            Assert.Equal((message, parameter, 400), (error.Message, error.Parameter, error.StatusCode));
        }

        Refused(Request([]), "prompt", "Either prompt or prompt_embeds must be provided and non-empty.");
        Refused(Request([1, vocabulary]), "prompt", $"Token id {vocabulary} is out of vocabulary");
        Refused(Request([-1]), "prompt", "Token id -1 is out of vocabulary");
        Refused(Request([1]) with { Priority = 3 }, "priority", "Got priority 3 but Priority scheduling is not enabled.");
        Refused(Request([1]) with { CacheSalt = "" }, "cache_salt", "cache_salt must have 1 to 256 characters, got 0.");
        Refused(
            Request(new int[90], new SamplingParams { MaxTokens = 7 }), "input_tokens",
            "This model's maximum context length is 96 tokens. However, you requested 7 output tokens and your prompt contains 90 input tokens, " +
            "for a total of 97 tokens. Please reduce the length of the input prompt or the number of requested output tokens. " +
            "(parameter=input_tokens, value=90)");
        Refused(
            Request(new int[96], new SamplingParams()), "input_tokens",
            "This model's maximum context length is 96 tokens. However, you requested 1 output tokens and your prompt contains 96 input tokens, " +
            "for a total of 97 tokens. Please reduce the length of the input prompt or the number of requested output tokens. " +
            "(parameter=input_tokens, value=96)");
        Refused(
            Request([1], new SamplingParams { MaxTokens = 97 }), "max_tokens",
            "max_tokens=97 cannot be greater than max_model_len=max_total_tokens=96. Please request fewer output tokens. " +
            "(parameter=max_tokens, value=97)");
        Assert.Equal(0, engine.Stats.ActiveRequestCount);

        // And the longest that fits is served, to its last token.
        int count = 0;
        await foreach (TokenOutput output in engine.Submit(Request(new int[90], new SamplingParams { IgnoreEos = true })))
        {
            count += output.TokenIds.Count;
        }

        Assert.Equal(6, count);
    }

    [Fact]
    public async Task Submit_PromptLogprobsInChunks_AreThoseOfTheWholePrompt()
    {
        int[] prompt = EngineRun.Prompts(1, 256)[0];
        var sampling = new SamplingParams { MaxTokens = 2, Temperature = 0, PromptLogprobs = 2 };
        var results = new List<TokenLogprob[]>();
        foreach (int budget in (int[])[7, 2048])
        {
            await using LlmEngine engine = await EngineRun.LoadAsync(Llama with { MaxNumBatchedTokens = budget });
            for (int i = 0; i < 2; i++)
            {
                await foreach (TokenOutput output in engine.Submit(Request(prompt, sampling)))
                {
                    if (output.PromptLogprobs is { } logprobs)
                    {
                        Assert.Equal(prompt.Length, logprobs.Count);
                        Assert.Null(logprobs[0]);
                        Assert.Equal(prompt[1..], logprobs.Skip(1).Select(position => position!.Chosen.TokenId));
                        Assert.All(logprobs.Skip(1), position => Assert.Equal(2, position!.Top.Count));
                        results.Add([.. logprobs.Skip(1).Select(position => position!.Chosen)]);
                    }
                }
            }
        }

        Assert.Equal(4, results.Count);
        Assert.All(results, result => Assert.Equal(results[0], result));
    }

    [Fact]
    public async Task Stats_AfterRequests_CountThem()
    {
        await using LlmEngine engine = await EngineRun.LoadAsync(Llama);
        int[][] prompts = EngineRun.Prompts(10, 256);
        await EngineRun.AllAsync(engine, prompts, 5);
        EngineStats stats = engine.Stats;
        Assert.Equal(prompts.Sum(prompt => prompt.Length), stats.PromptTokens);
        Assert.Equal(50, stats.GenerationTokens);
        Assert.Equal(stats.PromptTokens, stats.PrefixQueries);
        Assert.Equal(stats.CachedPromptTokens, stats.PrefixHits);
        Assert.Equal((0, 0, 0, 0.0), (stats.RunningCount, stats.WaitingCount, stats.ActiveRequestCount, stats.KvUsage));
        Assert.True(stats.StepCount >= 5);
    }
}
