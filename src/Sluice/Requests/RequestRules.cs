namespace Sluice.Requests;

/// <summary>What a request must keep to beyond its sampling parameters; checked before the engine loop sees it. Texts are vLLM's.</summary>
internal static class RequestRules
{
    /// <summary>Longest <see cref="GenerationRequest.CacheSalt"/>.</summary>
    public const int MaxCacheSaltLength = 256;

    /// <summary>Checks a request.</summary>
    /// <returns>Most tokens that a choice may generate.</returns>
    /// <exception cref="RequestValidationException">The first thing that is wrong.</exception>
    public static int Check(GenerationRequest request, int vocabularySize, int maxModelLen, int maxLogprobs, SchedulingPolicy policy)
    {
        request.Sampling.Validate(vocabularySize, maxModelLen, maxLogprobs);
        IReadOnlyList<int> prompt = request.PromptTokenIds;
        if (prompt.Count == 0)
        {
            throw new RequestValidationException("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
        }

        // At least one token is generated, so a prompt that fills the context is too long.
        int outputs = request.Sampling.MaxTokens ?? 1;
        if ((long)prompt.Count + outputs > maxModelLen)
        {
            throw new RequestValidationException(
                $"This model's maximum context length is {maxModelLen} tokens. However, you requested {outputs} output tokens and your prompt " +
                $"contains {prompt.Count} input tokens, for a total of {(long)prompt.Count + outputs} tokens. Please reduce the length of the " +
                $"input prompt or the number of requested output tokens. (parameter=input_tokens, value={prompt.Count})",
                "input_tokens");
        }

        for (int i = 0; i < prompt.Count; i++)
        {
            if ((uint)prompt[i] >= (uint)vocabularySize)
            {
                throw new RequestValidationException($"Token id {prompt[i]} is out of vocabulary", "prompt");
            }
        }

        if (request.Priority != 0 && policy != SchedulingPolicy.Priority)
        {
            throw new RequestValidationException($"Got priority {request.Priority} but Priority scheduling is not enabled.", "priority");
        }

        if (request.CacheSalt is { Length: 0 or > MaxCacheSaltLength })
        {
            throw new RequestValidationException(
                $"cache_salt must have 1 to {MaxCacheSaltLength} characters, got {request.CacheSalt.Length}.", "cache_salt");
        }

        return request.Sampling.MaxTokens ?? (maxModelLen - prompt.Count);
    }
}
