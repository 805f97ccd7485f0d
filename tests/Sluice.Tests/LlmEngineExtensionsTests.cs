using System.Text.Json;
using Sluice.Requests;

namespace Sluice.Tests;

public sealed class LlmEngineExtensionsTests(BundledEngine bundled) : IClassFixture<BundledEngine>
{
    private static readonly SamplingParams Greedy = new() { Temperature = 0, MaxTokens = 24 };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void DefaultSampling_BundledModel_IsItsGenerationConfig()
    {
        SamplingParams sampling = bundled.Engine.DefaultSampling();
        Assert.Equal((0.8f, 0.95f, 0, 1), (sampling.Temperature, sampling.TopP, sampling.TopK, sampling.RepetitionPenalty));
    }

    [Fact]
    public async Task GenerateAsync_ManyPrompts_ResultsInOrderAndAsExpected()
    {
        using JsonDocument expected = JsonDocument.Parse(
            await File.ReadAllBytesAsync(Path.Combine(TestData.Storyteller, "expected.json"), Cancellation));
        List<int[]> prompts = [];
        List<int[]> greedy = [];
        foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
        {
            prompts.Add(item.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray());

            // Where the two best tokens are closer than float arithmetic can tell apart, either may follow.
            greedy.Add(item.GetProperty("greedy").EnumerateArray()
                .Zip(item.GetProperty("steps").EnumerateArray())
                .TakeWhile(pair => pair.Second.GetProperty("margin").GetDouble() > 0.01)
                .Select(pair => pair.First.GetInt32()).Take(24).ToArray());
        }

        IReadOnlyList<GenerationResult> results = await bundled.Engine.GenerateAsync(prompts, Greedy, Cancellation);
        Assert.Equal(prompts.Count, results.Count);
        for (int i = 0; i < results.Count; i++)
        {
            Assert.Equal(prompts[i], results[i].PromptTokenIds);
            Assert.Equal(greedy[i], results[i].Choices[0].TokenIds.Take(greedy[i].Length));
        }
    }

    [Fact]
    public async Task GenerateAsync_Text_GoesOnFromThePrompt()
    {
        IReadOnlyList<GenerationResult> results = await bundled.Engine.GenerateAsync(["Once upon a time"], Greedy, Cancellation);
        Assert.StartsWith(" there lived a King who had a son", results[0].Text);
        Assert.Equal(FinishReason.Length, results[0].Choices[0].FinishReason);
        Assert.Equal(24, results[0].Choices[0].TokenIds.Count);
    }

    [Fact]
    public async Task GenerateAsync_Seeded_SameTokensAloneAndAmongOthers()
    {
        SamplingParams sampling = new() { Seed = 7, MaxTokens = 16, N = 3, TopP = 0.95f, TopK = 100, Logprobs = 1 };
        IReadOnlyList<GenerationResult> alone = await bundled.Engine.GenerateAsync(["The old fox"], sampling, Cancellation);
        IReadOnlyList<GenerationResult> among = await bundled.Engine.GenerateAsync(
            ["Once upon a time", "The old fox", "A dog"], sampling, Cancellation);
        for (int choice = 0; choice < 3; choice++)
        {
            Assert.Equal(alone[0].Choices[choice].TokenIds, among[1].Choices[choice].TokenIds);
            Assert.Equal(
                alone[0].Choices[choice].Logprobs!.Select(logprobs => logprobs.Chosen),
                among[1].Choices[choice].Logprobs!.Select(logprobs => logprobs.Chosen));
        }

        Assert.Equal(3, alone[0].Choices.Select(choice => choice.Text).Distinct().Count());

        // Choice i is what the seed plus i gives.
        IReadOnlyList<GenerationResult> second = await bundled.Engine.GenerateAsync(
            ["The old fox"], sampling with { N = 1, Seed = 8 }, Cancellation);
        Assert.Equal(alone[0].Choices[1].TokenIds, second[0].Choices[0].TokenIds);
    }

    [Fact]
    public async Task GenerateAsync_OneBadPrompt_ThrowsAndLeavesNothingRunning()
    {
        var error = await Assert.ThrowsAsync<RequestValidationException>(
            () => bundled.Engine.GenerateAsync([[1, 2], [1, bundled.Engine.VocabularySize]], Greedy, Cancellation));
        Assert.Contains("out of vocabulary", error.Message);
        IReadOnlyList<GenerationResult> results = await bundled.Engine.GenerateAsync(["A dog"], Greedy, Cancellation);
        Assert.Equal(24, results[0].Choices[0].TokenIds.Count);
    }

    [Fact]
    public async Task Stream_StopString_EndsTheText()
    {
        string text = "";
        TextOutput? last = null;
        await foreach (TextOutput output in bundled.Engine.Stream("Once upon a time", Greedy with { StopStrings = ["King"] }))
        {
            text += output.Text;
            last = output;
        }

        Assert.Equal(" there lived a ", text);
        Assert.Equal((FinishReason.Stop, "King"), (last!.FinishReason, last.StopString));
    }

    [Fact]
    public async Task Stream_LeftEarly_AbortsTheRequest()
    {
        await foreach (TextOutput _ in bundled.Engine.Stream("Once", new() { MaxTokens = 400, IgnoreEos = true }))
        {
            break;
        }

        for (int i = 0; i < 500 && bundled.Engine.Stats.RunningCount > 0; i++)
        {
            await Task.Delay(10, Cancellation);
        }

        Assert.Equal((0, 0), (bundled.Engine.Stats.RunningCount, bundled.Engine.Stats.KvBlocksUsed));
    }
}
