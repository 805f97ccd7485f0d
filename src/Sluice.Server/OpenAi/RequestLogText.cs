using System.Globalization;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>Sampling parameters in a log line.</summary>
internal static class RequestLogText
{
    public static string Of(SamplingParams p) => string.Create(
        CultureInfo.InvariantCulture,
        $"SamplingParams(n={p.N}, presence_penalty={p.PresencePenalty}, frequency_penalty={p.FrequencyPenalty}, "
        + $"repetition_penalty={p.RepetitionPenalty}, temperature={p.Temperature}, top_p={p.TopP}, top_k={p.TopK}, min_p={p.MinP}, "
        + $"seed={Or(p.Seed)}, stop=[{string.Join(", ", p.StopStrings.Select(Quote.Text))}], "
        + $"stop_token_ids=[{string.Join(", ", p.StopTokenIds)}], include_stop_str_in_output={p.IncludeStopString}, "
        + $"ignore_eos={p.IgnoreEos}, max_tokens={Or(p.MaxTokens)}, min_tokens={p.MinTokens}, logprobs={Or(p.Logprobs)}, "
        + $"prompt_logprobs={Or(p.PromptLogprobs)})");

    private static string Or(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "None";
}
