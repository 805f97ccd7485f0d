using System.Globalization;

namespace Sluice.Requests;

/// <summary>
/// The one table of ranges and sizes of <see cref="SamplingParams"/>, and the texts of what lies outside. Ranges are tested as
/// "not inside", so that NaN never passes. Texts are vLLM's.
/// </summary>
internal static class SamplingRules
{
    public const int MaxChoices = 16_384;
    public const int MaxStopStrings = 64;
    public const int MaxStopStringLength = 4_096;
    public const int MaxStopTokenIds = 1_024;
    public const int MaxBadWords = 128;
    public const int MaxBadWordTokens = 1_024;

    /// <summary>Lower temperatures that are not greedy are raised to it.</summary>
    public const float MinTemperature = 0.01f;

    /// <summary>Lower temperatures are greedy.</summary>
    public const float GreedyTemperature = 1e-5f;

    /// <summary>Logit biases are clamped to plus and minus this.</summary>
    public const float MaxLogitBias = 100;

    public static void Check(SamplingParams p, int vocabularySize, int maxModelLen, int maxLogprobs)
    {
        CheckNumbers(p);
        CheckLengths(p, maxModelLen);
        CheckLogprobs(p, vocabularySize, maxLogprobs < 0 ? vocabularySize : maxLogprobs);
        CheckStops(p, vocabularySize);
        CheckTokenLists(p, vocabularySize);
    }

    private static void CheckNumbers(SamplingParams p)
    {
        Require(p.N >= 1, "n", $"n must be at least 1, got {p.N}.");
        Require(p.N <= MaxChoices, "n", $"n must be at most {MaxChoices}, got {p.N}.");
        Require(
            p.PresencePenalty >= -2 && p.PresencePenalty <= 2,
            "presence_penalty",
            $"presence_penalty must be in [-2, 2], got {Text(p.PresencePenalty)}.");
        Require(
            p.FrequencyPenalty >= -2 && p.FrequencyPenalty <= 2,
            "frequency_penalty",
            $"frequency_penalty must be in [-2, 2], got {Text(p.FrequencyPenalty)}.");
        Require(
            float.IsFinite(p.RepetitionPenalty),
            "repetition_penalty",
            $"repetition_penalty must be a finite number, got {Text(p.RepetitionPenalty)}.");
        Require(
            p.RepetitionPenalty > 0,
            "repetition_penalty",
            $"repetition_penalty must be greater than zero, got {Text(p.RepetitionPenalty)}.");
        RequireNamed(
            float.IsFinite(p.Temperature), "temperature", Text(p.Temperature), "temperature must be a finite number, got {0}.");
        RequireNamed(p.Temperature >= 0, "temperature", Text(p.Temperature), "temperature must be non-negative, got {0}.");
        RequireNamed(p.Temperature <= 2, "temperature", Text(p.Temperature), "temperature must be in [0, 2], got {0}.");
        RequireNamed(p.TopP > 0 && p.TopP <= 1, "top_p", Text(p.TopP), "top_p must be in (0, 1], got {0}.");
        Require(p.TopK >= -1, "top_k", $"top_k must be 0 (disable), or at least 1, got {p.TopK}.");
        Require(p.MinP >= 0 && p.MinP <= 1, "min_p", $"min_p must be in [0, 1], got {Text(p.MinP)}.");
        Require(!p.IsGreedy || p.N == 1, "n", $"n must be 1 when using greedy sampling, got {p.N}.");
    }

    private static void CheckLengths(SamplingParams p, int maxModelLen)
    {
        if (p.MaxTokens is int maxTokens)
        {
            RequireNamed(maxTokens >= 1, "max_tokens", Text(maxTokens), "max_tokens must be at least 1, got {0}.");
            RequireNamed(
                maxTokens <= maxModelLen,
                "max_tokens",
                Text(maxTokens),
                $"max_tokens={maxTokens} cannot be greater than max_model_len=max_total_tokens={maxModelLen}. "
                + "Please request fewer output tokens.");
        }

        Require(p.MinTokens >= 0, "min_tokens", $"min_tokens must be greater than or equal to 0, got {p.MinTokens}.");
        Require(
            p.MinTokens <= (p.MaxTokens ?? int.MaxValue),
            "min_tokens",
            $"min_tokens must be less than or equal to max_tokens={p.MaxTokens}, got {p.MinTokens}.");
    }

    private static void CheckLogprobs(SamplingParams p, int vocabularySize, int maxLogprobs)
    {
        CheckLogprobCount(p.Logprobs, "logprobs", "sample", vocabularySize, maxLogprobs);
        CheckLogprobCount(p.PromptLogprobs, "prompt_logprobs", "prompt", vocabularySize, maxLogprobs);
    }

    private static void CheckLogprobCount(int? asked, string parameter, string kind, int vocabularySize, int maxLogprobs)
    {
        if (asked is int count)
        {
            RequireNamed(count >= -1, parameter, Text(count), parameter + " must be non-negative or -1, got {0}.");
            int wanted = count < 0 ? vocabularySize : count;
            RequireNamed(
                wanted <= maxLogprobs,
                parameter,
                Text(wanted),
                $"Requested {kind} logprobs of {{0}}, which is greater than max allowed: {maxLogprobs}");
        }
    }

    private static void CheckStops(SamplingParams p, int vocabularySize)
    {
        Require(
            p.StopStrings.Count <= MaxStopStrings,
            "stop",
            $"stop must have at most {MaxStopStrings} strings, got {p.StopStrings.Count}.");
        foreach (string stop in p.StopStrings)
        {
            Require(!string.IsNullOrEmpty(stop), "stop", "stop cannot contain an empty string.");
            Require(
                stop.Length <= MaxStopStringLength,
                "stop",
                $"a stop string must have at most {MaxStopStringLength} characters, got {stop.Length}.");
        }

        Require(
            p.StopTokenIds.Count <= MaxStopTokenIds,
            "stop_token_ids",
            $"stop_token_ids must have at most {MaxStopTokenIds} entries, got {p.StopTokenIds.Count}.");
        RequireInVocabulary(p.StopTokenIds, "stop_token_ids", vocabularySize);
    }

    private static void CheckTokenLists(SamplingParams p, int vocabularySize)
    {
        if (p.LogitBias is { } bias)
        {
            RequireInVocabulary(bias.Keys, "logit_bias", vocabularySize);
            foreach (float value in bias.Values)
            {
                Require(!float.IsNaN(value), "logit_bias", "logit_bias values must be numbers, got nan.");
            }
        }

        if (p.AllowedTokenIds is { } allowed)
        {
            RequireNamed(allowed.Count > 0, "allowed_token_ids", "[]", "allowed_token_ids is not None and empty!");
            Require(
                allowed.Count <= vocabularySize,
                "allowed_token_ids",
                $"allowed_token_ids must have at most {vocabularySize} entries, got {allowed.Count}.");
            string? invalid = OutOfVocabulary(allowed, vocabularySize);
            RequireNamed(
                invalid is null, "allowed_token_ids", invalid ?? "", "allowed_token_ids contains out-of-vocab token id!");
        }

        Require(
            p.BadWords.Count <= MaxBadWords,
            "bad_words",
            $"Too many bad words after tokenization: {p.BadWords.Count}. The max number is {MaxBadWords}.");
        foreach (int[] word in p.BadWords)
        {
            Require(
                word.Length is > 0 and <= MaxBadWordTokens,
                "bad_words",
                $"bad_words entries must tokenize to 1 to {MaxBadWordTokens} tokens, got {word.Length}.");
            string? invalid = OutOfVocabulary(word, vocabularySize);
            RequireNamed(
                invalid is null,
                "bad_words",
                invalid ?? "",
                $"The model vocabulary size is {vocabularySize}, but the following tokens were specified as bad: {{0}}. "
                + $"All token id values should be integers satisfying: 0 <= token_id <= {vocabularySize - 1}.");
        }
    }

    private static void RequireInVocabulary(IEnumerable<int> ids, string parameter, int vocabularySize)
    {
        string? invalid = OutOfVocabulary(ids, vocabularySize);
        RequireNamed(
            invalid is null,
            parameter,
            invalid ?? "",
            $"token_id(s) {{0}} in {parameter} contain out-of-vocab token ids. Vocabulary size: {vocabularySize}");
    }

    /// <summary>The ids that are no tokens, the first few of them, in brackets; none when all are.</summary>
    private static string? OutOfVocabulary(IEnumerable<int> ids, int vocabularySize)
    {
        const int Shown = 16;
        List<int>? invalid = null;
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)vocabularySize)
            {
                (invalid ??= []).Add(id);
                if (invalid.Count == Shown)
                {
                    break;
                }
            }
        }

        return invalid is null ? null : $"[{string.Join(", ", invalid)}]";
    }

    private static void Require(bool holds, string parameter, string message)
    {
        if (!holds)
        {
            throw new RequestValidationException(message, parameter);
        }
    }

    /// <summary>As <see cref="Require"/>, for the texts that vLLM ends with the parameter and its value.</summary>
    private static void RequireNamed(bool holds, string parameter, string value, string message)
    {
        if (!holds)
        {
            throw new RequestValidationException(
                $"{message.Replace("{0}", value, StringComparison.Ordinal)} (parameter={parameter}, value={value})", parameter);
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A number as Python writes it: 2.0, nan, inf.</summary>
    private static string Text(float value)
    {
        if (!float.IsFinite(value))
        {
            return float.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        string text = value.ToString(CultureInfo.InvariantCulture);
        return text.AsSpan().ContainsAny('.', 'E') ? text.Replace('E', 'e') : text + ".0";
    }
}
