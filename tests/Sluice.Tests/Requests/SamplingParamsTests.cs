using Sluice.Requests;

namespace Sluice.Tests.Requests;

public sealed class SamplingParamsTests
{
    private const int Vocabulary = 100;
    private const int MaxModelLen = 64;
    private const int MaxLogprobs = 20;

    [Fact]
    public void Validate_DefaultsAndEveryEdge_Passes()
    {
        Validate(new SamplingParams());
        Validate(new SamplingParams { Temperature = 0 });
        Validate(new SamplingParams
        {
            N = 16384, Temperature = 2, TopP = 1, TopK = -1, MinP = 1, PresencePenalty = -2, FrequencyPenalty = 2,
            RepetitionPenalty = float.Epsilon, StopStrings = ["a"], StopTokenIds = [0, 99], MinTokens = 64, MaxTokens = 64,
            LogitBias = new Dictionary<int, float> { [99] = float.PositiveInfinity }, BadWords = [[0, 99]], AllowedTokenIds = [0, 99],
            Logprobs = 20, PromptLogprobs = 0, Seed = long.MinValue,
        });
        new SamplingParams { Logprobs = -1 }.Validate(Vocabulary, MaxModelLen, -1);
    }

    public static TheoryData<SamplingParams, string, string> OutOfRange => new()
    {
        { new() { N = 0 }, "n", "n must be at least 1, got 0." },
        { new() { N = 16385 }, "n", "n must be at most 16384, got 16385." },
        { new() { N = 2, Temperature = 0 }, "n", "n must be 1 when using greedy sampling, got 2." },
        { new() { PresencePenalty = 2.5f }, "presence_penalty", "presence_penalty must be in [-2, 2], got 2.5." },
        { new() { PresencePenalty = float.NaN }, "presence_penalty", "presence_penalty must be in [-2, 2], got nan." },
        { new() { FrequencyPenalty = -3 }, "frequency_penalty", "frequency_penalty must be in [-2, 2], got -3.0." },
        { new() { FrequencyPenalty = float.NaN }, "frequency_penalty", "frequency_penalty must be in [-2, 2], got nan." },
        { new() { RepetitionPenalty = 0 }, "repetition_penalty", "repetition_penalty must be greater than zero, got 0.0." },
        { new() { RepetitionPenalty = float.NaN }, "repetition_penalty", "repetition_penalty must be a finite number, got nan." },
        {
            new() { RepetitionPenalty = float.PositiveInfinity }, "repetition_penalty",
            "repetition_penalty must be a finite number, got inf."
        },
        {
            new() { Temperature = -1 }, "temperature",
            "temperature must be non-negative, got -1.0. (parameter=temperature, value=-1.0)"
        },
        {
            new() { Temperature = 2.1f }, "temperature",
            "temperature must be in [0, 2], got 2.1. (parameter=temperature, value=2.1)"
        },
        {
            new() { Temperature = float.NegativeInfinity }, "temperature",
            "temperature must be a finite number, got -inf. (parameter=temperature, value=-inf)"
        },
        {
            new() { Temperature = float.NaN }, "temperature",
            "temperature must be a finite number, got nan. (parameter=temperature, value=nan)"
        },
        { new() { TopP = 0 }, "top_p", "top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)" },
        { new() { TopP = 1.1f }, "top_p", "top_p must be in (0, 1], got 1.1. (parameter=top_p, value=1.1)" },
        { new() { TopP = float.NaN }, "top_p", "top_p must be in (0, 1], got nan. (parameter=top_p, value=nan)" },
        { new() { TopK = -2 }, "top_k", "top_k must be 0 (disable), or at least 1, got -2." },
        { new() { MinP = -0.1f }, "min_p", "min_p must be in [0, 1], got -0.1." },
        { new() { MinP = float.NaN }, "min_p", "min_p must be in [0, 1], got nan." },
        { new() { MaxTokens = 0 }, "max_tokens", "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)" },
        {
            new() { MaxTokens = 65 }, "max_tokens",
            "max_tokens=65 cannot be greater than max_model_len=max_total_tokens=64. Please request fewer output tokens. "
            + "(parameter=max_tokens, value=65)"
        },
        { new() { MinTokens = -1 }, "min_tokens", "min_tokens must be greater than or equal to 0, got -1." },
        {
            new() { MinTokens = 5, MaxTokens = 4 }, "min_tokens",
            "min_tokens must be less than or equal to max_tokens=4, got 5."
        },
        {
            new() { Logprobs = -2 }, "logprobs",
            "logprobs must be non-negative or -1, got -2. (parameter=logprobs, value=-2)"
        },
        {
            new() { Logprobs = 21 }, "logprobs",
            "Requested sample logprobs of 21, which is greater than max allowed: 20 (parameter=logprobs, value=21)"
        },
        {
            new() { PromptLogprobs = -1 }, "prompt_logprobs",
            "Requested prompt logprobs of 100, which is greater than max allowed: 20 (parameter=prompt_logprobs, value=100)"
        },
        { new() { StopStrings = ["x", ""] }, "stop", "stop cannot contain an empty string." },
        {
            new() { StopTokenIds = [1, 100, -1] }, "stop_token_ids",
            "token_id(s) [100, -1] in stop_token_ids contain out-of-vocab token ids. Vocabulary size: 100 "
            + "(parameter=stop_token_ids, value=[100, -1])"
        },
        {
            new() { LogitBias = new Dictionary<int, float> { [100] = 1 } }, "logit_bias",
            "token_id(s) [100] in logit_bias contain out-of-vocab token ids. Vocabulary size: 100 "
            + "(parameter=logit_bias, value=[100])"
        },
        {
            new() { LogitBias = new Dictionary<int, float> { [1] = float.NaN } }, "logit_bias",
            "logit_bias values must be numbers, got nan."
        },
        {
            new() { AllowedTokenIds = [] }, "allowed_token_ids",
            "allowed_token_ids is not None and empty! (parameter=allowed_token_ids, value=[])"
        },
        {
            new() { AllowedTokenIds = [100] }, "allowed_token_ids",
            "allowed_token_ids contains out-of-vocab token id! (parameter=allowed_token_ids, value=[100])"
        },
        { new() { BadWords = [[]] }, "bad_words", "bad_words entries must tokenize to 1 to 1024 tokens, got 0." },
        {
            new() { BadWords = [[1, 100]] }, "bad_words",
            "The model vocabulary size is 100, but the following tokens were specified as bad: [100]. "
            + "All token id values should be integers satisfying: 0 <= token_id <= 99. (parameter=bad_words, value=[100])"
        },
    };

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Validate_OutOfRange_NamesParameterAndValue(SamplingParams sampling, string parameter, string message)
    {
        var error = Assert.Throws<RequestValidationException>(() => Validate(sampling));
        Assert.Equal(message, error.Message);
        Assert.Equal(parameter, error.Parameter);
        Assert.Equal(400, error.StatusCode);
    }

    [Fact]
    public void Validate_ListsOverTheirCaps_Throws()
    {
        Throws("stop", new() { StopStrings = Enumerable.Repeat("x", SamplingRules.MaxStopStrings + 1).ToArray() });
        Throws("stop", new() { StopStrings = [new string('x', SamplingRules.MaxStopStringLength + 1)] });
        Throws("stop_token_ids", new() { StopTokenIds = new int[SamplingRules.MaxStopTokenIds + 1] });
        Throws("bad_words", new() { BadWords = Enumerable.Repeat(new[] { 1 }, SamplingRules.MaxBadWords + 1).ToArray() });
        Throws("bad_words", new() { BadWords = [new int[SamplingRules.MaxBadWordTokens + 1]] });
        Throws("allowed_token_ids", new() { AllowedTokenIds = new int[Vocabulary + 1] });
    }

    private static void Throws(string parameter, SamplingParams sampling) =>
        Assert.Equal(parameter, Assert.Throws<RequestValidationException>(() => Validate(sampling)).Parameter);

    private static void Validate(SamplingParams sampling) => sampling.Validate(Vocabulary, MaxModelLen, MaxLogprobs);
}
