using Sluice.Requests;

namespace Sluice.Tests.Execution;

/// <summary>Runs requests through a real engine and keeps every bit of what it answers.</summary>
internal static class EngineRun
{
    /// <summary>Fixed prompts of rising and falling lengths, many of which share their beginning.</summary>
    public static int[][] Prompts(int count, int vocabularySize)
    {
        var random = new Random(42);
        int[] shared = [.. Enumerable.Range(0, 48).Select(_ => random.Next(3, vocabularySize))];
        var prompts = new int[count][];
        for (int i = 0; i < count; i++)
        {
            int common = i % 3 == 0 ? 0 : random.Next(1, shared.Length);
            int own = random.Next(1, 20);
            prompts[i] = [.. shared[..common], .. Enumerable.Range(0, own).Select(_ => random.Next(3, vocabularySize))];
        }

        return prompts;
    }

    /// <summary>Parameters of the i-th prompt: greedy, seeded and penalized ones take turns.</summary>
    public static SamplingParams Sampling(int index, int maxTokens) => new()
    {
        Temperature = index % 2 == 0 ? 0 : 0.9f,
        TopP = index % 4 == 1 ? 0.95f : 1,
        RepetitionPenalty = index % 4 == 3 ? 1.1f : 1,
        Seed = 1000 + index,
        MaxTokens = maxTokens,
        IgnoreEos = true,
        Logprobs = 2,
    };

    public static async Task<LlmEngine> LoadAsync(EngineOptions options) =>
        await LlmEngine.LoadAsync(options, cancellation: TestContext.Current.CancellationToken);

    /// <summary>All answers as text in which floats are bits, in the order of the prompts.</summary>
    public static async Task<(string[] Answers, int CachedTokens)> AllAsync(LlmEngine engine, int[][] prompts, int maxTokens, bool oneByOne = false)
    {
        var answers = new string[prompts.Length];
        int cached = 0;
        async Task RunAsync(int index)
        {
            (answers[index], int hits) = await OneAsync(engine, new GenerationRequest
            {
                Id = $"{Guid.NewGuid()}",
                PromptTokenIds = prompts[index],
                Sampling = Sampling(index, maxTokens),
            });
            Interlocked.Add(ref cached, hits);
        }

        if (oneByOne)
        {
            for (int i = 0; i < prompts.Length; i++)
            {
                await RunAsync(i);
            }
        }
        else
        {
            await Task.WhenAll(Enumerable.Range(0, prompts.Length).Select(RunAsync));
        }

        return (answers, cached);
    }

    private static async Task<(string Answer, int Cached)> OneAsync(LlmEngine engine, GenerationRequest request)
    {
        var text = new System.Text.StringBuilder();
        int cached = 0;
        await foreach (TokenOutput output in engine.Submit(request))
        {
            Assert.Null(output.Error);
            cached += output.CachedTokenCount;
            for (int i = 0; i < output.TokenIds.Count; i++)
            {
                PositionLogprobs logprobs = output.Logprobs![i];
                text.Append(output.TokenIds[i]).Append(' ').Append(Bits(logprobs.Chosen));
                foreach (TokenLogprob top in logprobs.Top)
                {
                    text.Append(' ').Append(Bits(top));
                }

                text.Append('\n');
            }
        }

        return (text.ToString(), cached);
    }

    private static string Bits(TokenLogprob logprob) =>
        $"{logprob.TokenId}:{BitConverter.SingleToInt32Bits(logprob.Logprob):x8}:{logprob.Rank}";
}
