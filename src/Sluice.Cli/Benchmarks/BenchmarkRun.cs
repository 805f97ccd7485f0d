using System.Diagnostics;
using Sluice.Requests;

namespace Sluice.Cli.Benchmarks;

/// <summary>What a set of requests took.</summary>
/// <param name="RequestCount">Requests.</param>
/// <param name="PromptTokenCount">Tokens of their prompts.</param>
/// <param name="OutputTokenCount">Tokens generated.</param>
/// <param name="Elapsed">From the first request to the last answer.</param>
/// <param name="IdleShare">Share of the time between the first step and the last in which the device waited for the host.</param>
internal sealed record BenchmarkRun(int RequestCount, long PromptTokenCount, long OutputTokenCount, TimeSpan Elapsed, double IdleShare)
{
    /// <summary>Queues all requests at once and waits for the last one.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="prompts">The requests.</param>
    /// <param name="choiceCount">Answers a prompt.</param>
    /// <param name="detokenize">Make text of the answers, as a server would.</param>
    /// <param name="onRequestDone">Called as each request ends, from any thread.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<BenchmarkRun> MeasureAsync(
        LlmEngine engine,
        IReadOnlyList<BenchmarkPrompt> prompts,
        int choiceCount,
        bool detokenize,
        Action? onRequestDone = null,
        CancellationToken cancellation = default)
    {
        CheckLengths(engine, prompts);
        EngineStats before = engine.Stats;
        long start = Stopwatch.GetTimestamp();
        long[] outputs = await Task.WhenAll(prompts.Select((prompt, index) => GenerateAsync(index, prompt)));
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        EngineStats after = engine.Stats;
        double gap = after.StepGapSeconds - before.StepGapSeconds;
        return new BenchmarkRun(
            prompts.Count, prompts.Sum(prompt => (long)prompt.TokenIds.Count), outputs.Sum(), elapsed,
            gap / Math.Max(double.Epsilon, gap + after.StepSeconds - before.StepSeconds));

        async Task<long> GenerateAsync(int index, BenchmarkPrompt prompt)
        {
            // As vLLM's benchmarks: sampled at temperature 1, to the full length.
            var sampling = new SamplingParams { N = choiceCount, Temperature = 1, TopP = 1, IgnoreEos = true, MaxTokens = prompt.OutputTokenCount };
            var request = new GenerationRequest { Id = $"bench-{start}-{index}", PromptTokenIds = prompt.TokenIds, Sampling = sampling };
            long count = detokenize && engine.Tokenizer is not null
                ? await CountTextAsync(engine.Stream(request), cancellation)
                : await CountTokensAsync(engine.Submit(request), cancellation);
            onRequestDone?.Invoke();
            return count;
        }
    }

    private static async Task<long> CountTextAsync(TextStream stream, CancellationToken cancellation)
    {
        long count = 0;
        await foreach (TextOutput output in stream.WithCancellation(cancellation))
        {
            ThrowOnFault(output.FinishReason, output.Error);
            count += output.TokenIds.Count;
        }

        return count;
    }

    private static async Task<long> CountTokensAsync(RequestStream stream, CancellationToken cancellation)
    {
        long count = 0;
        await foreach (TokenOutput output in stream.WithCancellation(cancellation))
        {
            ThrowOnFault(output.FinishReason, output.Error);
            count += output.TokenIds.Count;
        }

        return count;
    }

    private static void ThrowOnFault(FinishReason? reason, string? error)
    {
        if (reason is FinishReason.Error or FinishReason.Abort)
        {
            throw new InvalidOperationException($"A request of the benchmark ended early: {error ?? reason.ToString()}");
        }
    }

    private static void CheckLengths(LlmEngine engine, IReadOnlyList<BenchmarkPrompt> prompts)
    {
        foreach (BenchmarkPrompt prompt in prompts)
        {
            if (prompt.TokenIds.Count + prompt.OutputTokenCount > engine.MaxModelLen)
            {
                throw new UserErrorException(
                    $"{prompt.TokenIds.Count} prompt tokens and {prompt.OutputTokenCount} output tokens do not fit the context of {engine.MaxModelLen} tokens; lower --input-len, --prefix-len or --output-len.");
            }
        }
    }
}
