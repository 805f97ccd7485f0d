using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>A body of <c>/v1/completions</c>, checked.</summary>
internal sealed record CompletionRequest
{
    private const int StandardMaxTokens = 16;

    /// <summary>Ids of each prompt.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    public required SamplingParams Sampling { get; init; }

    public required OutputOptions Output { get; init; }

    public required RequestFields Request { get; init; }

    /// <summary>Only the prompt comes back (<c>max_tokens</c> 0 with <c>echo</c>).</summary>
    public required bool IsEchoOnly { get; init; }

    public static CompletionRequest Read(Fields fields, ServerState state, HttpRequest http)
    {
        RequestFields request = RequestFields.Read(fields, state, http);
        UnsupportedFields.Refuse(fields);
        int? logprobs = fields.Int32(Limits.Logprobs);
        OutputOptions output = OutputOptions.Read(fields, state.Options, logprobs);
        int maxTokens = fields.Int32(Limits.MaxTokens) ?? StandardMaxTokens;
        bool isEchoOnly = output.Echo && maxTokens == 0;

        // The prompt's logprobs come with a step of the model, and a step makes a token, which is then dropped.
        SamplingParams sampling = SamplingFields.Read(
            fields,
            state,
            isEchoOnly ? 1 : maxTokens,
            logprobs,
            output.PromptLogprobs ?? (output.Echo ? logprobs : null));
        PromptRules rules = new(fields, state, maxTokens, addSpecialTokens: true);
        List<int[]> prompts = ReadPrompts(fields, rules);
        if ((long)prompts.Count * sampling.N > Limits.MaxChoices)
        {
            throw fields.Wrong("n", $"times the number of prompts must be at most {Limits.MaxChoices}, got {(long)prompts.Count * sampling.N}");
        }

        return new CompletionRequest
        {
            Prompts = prompts,
            Sampling = sampling,
            Output = output,
            Request = request,
            IsEchoOnly = isEchoOnly,
        };
    }

    private static List<int[]> ReadPrompts(Fields fields, PromptRules rules)
    {
        if (!fields.TryGet("prompt", out JsonElement prompt))
        {
            throw Empty();
        }

        if (prompt.ValueKind == JsonValueKind.String)
        {
            return [rules.Encode(fields.Text(prompt, "prompt"), null, "prompt")];
        }

        if (prompt.ValueKind != JsonValueKind.Array)
        {
            throw fields.WrongType("prompt", "a string, a list of strings, a list of token ids or a list of lists of token ids", prompt);
        }

        if (prompt.GetArrayLength() == 0)
        {
            throw Empty();
        }

        if (prompt[0].ValueKind is not (JsonValueKind.String or JsonValueKind.Array))
        {
            return [rules.Read(fields, prompt, "prompt")];
        }

        if (prompt.GetArrayLength() > Limits.MaxPrompts)
        {
            throw fields.Wrong("prompt", $"must have at most {Limits.MaxPrompts} prompts, got {prompt.GetArrayLength()}");
        }

        List<int[]> prompts = new(prompt.GetArrayLength());
        foreach (JsonElement item in prompt.EnumerateArray())
        {
            string name = $"prompt[{prompts.Count}]";
            if (item.ValueKind != prompt[0].ValueKind)
            {
                throw fields.WrongType(name, prompt[0].ValueKind == JsonValueKind.String ? "a string" : "a list of token ids", item);
            }

            prompts.Add(item.ValueKind == JsonValueKind.String
                ? rules.Encode(fields.Text(item, name), null, name)
                : rules.Read(fields, item, name));
        }

        return prompts;
    }

    private static RequestValidationException Empty() =>
        new("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
}
