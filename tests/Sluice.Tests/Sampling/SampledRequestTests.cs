using Sluice.Requests;

namespace Sluice.Tests.Sampling;

/// <summary>Sampling as a request sees it: through the whole engine, with everything that may happen to a sequence there.</summary>
public sealed class SampledRequestTests
{
    private const int RequestCount = 24;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submit_SeededWithEveryProcessor_SameTokensAloneCrowdedAndPreempted()
    {
        EngineOptions options = new() { Model = TestData.Storyteller, CpuThreads = 2, MaxModelLen = 128 };
        List<string> alone = [];
        await using (LlmEngine engine = await LlmEngine.LoadAsync(options with { AsyncScheduling = false }, cancellation: Cancellation))
        {
            for (int i = 0; i < RequestCount; i++)
            {
                alone.Add(await RunAsync(engine, i));
            }
        }

        Assert.Equal(RequestCount, alone.Distinct().Count());
        await using (LlmEngine engine = await LlmEngine.LoadAsync(
            options with { BlockSize = 4, NumGpuBlocksOverride = 48, MaxNumBatchedTokens = 32, MaxNumSeqs = 16 }, cancellation: Cancellation))
        {
            string[] crowded = await Task.WhenAll(Enumerable.Range(0, RequestCount).Select(i => RunAsync(engine, i)));
            Assert.True(engine.Stats.Preemptions > 0);
            Assert.Equal(alone, crowded);
        }
    }

    /// <summary>Request i: its own prompt, its own mixture of parameters. The ids and the bits of the logprobs that it gave.</summary>
    private static async Task<string> RunAsync(LlmEngine engine, int i)
    {
        SamplingParams sampling = new()
        {
            Seed = i,
            MaxTokens = 40,
            MinTokens = 30,
            Temperature = 0.6f + (i % 3 * 0.4f),
            TopP = i % 2 == 0 ? 0.9f : 1,
            TopK = i % 5 * 20,
            MinP = i % 4 == 0 ? 0.01f : 0,
            RepetitionPenalty = 1 + (i % 3 * 0.15f),
            FrequencyPenalty = i % 3 * 0.2f,
            PresencePenalty = i % 2 * 0.3f,
            BadWords = i % 4 == 1 ? [[461, 351], [20]] : [],
            LogitBias = i % 6 == 2 ? new Dictionary<int, float> { [265] = -3, [18] = 2 } : null,
            Logprobs = i % 2,
        };
        List<string> parts = [];
        int[] prompt = [1, 2637, 367 + i, .. Enumerable.Range(300 + (7 * i), i)];
        await foreach (TextOutput output in engine.Stream(prompt, sampling).WithCancellation(Cancellation))
        {
            Assert.Null(output.Error);
            for (int t = 0; t < output.TokenIds.Count; t++)
            {
                parts.Add($"{output.TokenIds[t]}:{BitConverter.SingleToInt32Bits(output.Logprobs![t].Chosen.Logprob):x}");
            }
        }

        return string.Join(' ', parts);
    }
}
