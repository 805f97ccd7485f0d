using Sluice.Models;
using Sluice.Requests;
using Sluice.Text;

namespace Sluice;

/// <summary>Short ways to use an engine in-process: many prompts at once, or one prompt as a stream of text.</summary>
public static class LlmEngineExtensions
{
    private static long _requestCount;

    /// <summary>Sampling as the model's authors recommend it, for requests that say nothing.</summary>
    public static SamplingParams DefaultSampling(this LlmEngine engine)
    {
        GenerationDefaults defaults = engine.Defaults;
        SamplingParams neutral = new();
        return neutral with
        {
            Temperature = defaults.Temperature ?? neutral.Temperature,
            TopP = defaults.TopP ?? neutral.TopP,
            TopK = defaults.TopK ?? neutral.TopK,
            MinP = defaults.MinP ?? neutral.MinP,
            RepetitionPenalty = defaults.RepetitionPenalty ?? neutral.RepetitionPenalty,
            MaxTokens = defaults.MaxNewTokens is int limit ? Math.Min(limit, engine.MaxModelLen) : null,
        };
    }

    /// <summary>
    /// Completes many prompts. All are handed to the engine at once, which runs as many side by side as fit; results come in the order of the
    /// prompts. A fault of one request is in its result (<see cref="GeneratedText.Error"/>) and disturbs no other.
    /// </summary>
    /// <param name="engine">The engine.</param>
    /// <param name="prompts">Texts; special tokens in them are control tokens, and the model's own (such as a beginning of text) are added.</param>
    /// <param name="sampling">For all prompts; none for <see cref="DefaultSampling"/>.</param>
    /// <param name="cancellation">Aborts all.</param>
    /// <exception cref="RequestValidationException">A prompt or a parameter cannot be served; nothing is generated then.</exception>
    public static Task<IReadOnlyList<GenerationResult>> GenerateAsync(
        this LlmEngine engine, IReadOnlyList<string> prompts, SamplingParams? sampling = null, CancellationToken cancellation = default)
    {
        Tokenizer tokenizer = RequireTokenizer(engine);
        return engine.GenerateAsync([.. prompts.Select(prompt => tokenizer.Encode(prompt))], sampling, cancellation);
    }

    /// <inheritdoc cref="GenerateAsync(LlmEngine, IReadOnlyList{string}, SamplingParams?, CancellationToken)"/>
    /// <param name="engine">The engine.</param>
    /// <param name="promptTokenIds">Prompts as token ids.</param>
    /// <param name="sampling">For all prompts; none for <see cref="DefaultSampling"/>.</param>
    /// <param name="cancellation">Aborts all.</param>
    public static async Task<IReadOnlyList<GenerationResult>> GenerateAsync(
        this LlmEngine engine,
        IReadOnlyList<IReadOnlyList<int>> promptTokenIds,
        SamplingParams? sampling = null,
        CancellationToken cancellation = default)
    {
        sampling ??= engine.DefaultSampling();
        List<TextStream> streams = new(promptTokenIds.Count);
        try
        {
            foreach (IReadOnlyList<int> prompt in promptTokenIds)
            {
                streams.Add(engine.Stream(prompt, sampling));
            }

            // A reader for each, so that no choice waits for its tokens to be taken.
            return await Task.WhenAll(streams.Select((stream, i) =>
                GenerationCollector.ReadAsync(stream, promptTokenIds[i], sampling.N, cancellation))).ConfigureAwait(false);
        }
        finally
        {
            foreach (TextStream stream in streams)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Completes one prompt; text comes as it is generated. Disposing the stream or leaving its loop aborts the request.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="prompt">A text, as for <see cref="GenerateAsync(LlmEngine, IReadOnlyList{string}, SamplingParams?, CancellationToken)"/>.</param>
    /// <param name="sampling">None for <see cref="DefaultSampling"/>.</param>
    /// <exception cref="RequestValidationException">The prompt or a parameter cannot be served.</exception>
    public static TextStream Stream(this LlmEngine engine, string prompt, SamplingParams? sampling = null) =>
        engine.Stream(RequireTokenizer(engine).Encode(prompt), sampling);

    /// <inheritdoc cref="Stream(LlmEngine, string, SamplingParams?)"/>
    /// <param name="engine">The engine.</param>
    /// <param name="promptTokenIds">The prompt as token ids.</param>
    /// <param name="sampling">None for <see cref="DefaultSampling"/>.</param>
    public static TextStream Stream(this LlmEngine engine, IReadOnlyList<int> promptTokenIds, SamplingParams? sampling = null)
    {
        GenerationRequest request = new()
        {
            Id = NextRequestId("local"),
            PromptTokenIds = promptTokenIds,
            Sampling = sampling ?? engine.DefaultSampling(),
        };
        return engine.Stream(request);
    }

    /// <summary>Submits a request and reads it as text that goes on from its prompt.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="request">The request.</param>
    /// <param name="skipSpecialTokens">Leave control tokens out of the text.</param>
    /// <exception cref="RequestValidationException">The request cannot be served.</exception>
    public static TextStream Stream(this LlmEngine engine, GenerationRequest request, bool skipSpecialTokens = true)
    {
        TextStream.CheckStops(engine.Tokenizer, request.Sampling);
        TextOptions options = new() { SkipSpecialTokens = skipSpecialTokens, PromptTail = TextOptions.TailOf(request.PromptTokenIds) };
        return new TextStream(engine.Submit(request), engine.Tokenizer, request.Sampling, options);
    }

    /// <summary>A name that no other in-process request has.</summary>
    internal static string NextRequestId(string prefix) => $"{prefix}-{Interlocked.Increment(ref _requestCount)}";

    internal static Tokenizer RequireTokenizer(LlmEngine engine) => engine.Tokenizer
        ?? throw new InvalidOperationException("The model is loaded without a tokenizer: give prompts as token ids.");
}
