using System.Globalization;
using System.Text.Json;
using Sluice.Models;
using Sluice.Requests;

namespace Sluice.Server.OpenAi;

/// <summary>The sampling fields that chats and completions share. What a request leaves out comes from generation_config.json.</summary>
internal static class SamplingFields
{
    /// <param name="fields">The body.</param>
    /// <param name="state">Defaults and vocabulary.</param>
    /// <param name="maxTokens">What the request sets, or none.</param>
    /// <param name="logprobs">Logprobs for each generated token.</param>
    /// <param name="promptLogprobs">Logprobs for each token of the prompt.</param>
    public static SamplingParams Read(Fields fields, ServerState state, int? maxTokens, int? logprobs, int? promptLogprobs)
    {
        GenerationDefaults defaults = state.Engine.Defaults;
        int n = fields.Int32(Limits.N) ?? 1;
        if (fields.Int32(Limits.BestOf) is int bestOf && bestOf != n)
        {
            throw fields.Wrong("best_of", $"must be equal to n={n} where it is given, got {bestOf}");
        }

        _ = fields.Boolean(Limits.SpacesBetweenSpecialTokens);
        long? seed = fields.Integer(Limits.Seed);
        SamplingParams sampling = new()
        {
            N = n,
            Temperature = fields.Number(Limits.Temperature) ?? defaults.Temperature ?? 1,
            TopP = fields.Number(Limits.TopP) ?? defaults.TopP ?? 1,
            TopK = fields.Int32(Limits.TopK) ?? defaults.TopK ?? 0,
            MinP = fields.Number(Limits.MinP) ?? defaults.MinP ?? 0,
            PresencePenalty = fields.Number(Limits.PresencePenalty) ?? 0,
            FrequencyPenalty = fields.Number(Limits.FrequencyPenalty) ?? 0,
            RepetitionPenalty = fields.Number(Limits.RepetitionPenalty) ?? defaults.RepetitionPenalty ?? 1,
            Seed = seed == -1 ? null : seed,
            StopStrings = fields.Texts(Limits.Stop),
            StopTokenIds = fields.TokenIds(Limits.StopTokenIds) ?? [],
            IncludeStopString = fields.Boolean(Limits.IncludeStopString, false),
            IgnoreEos = fields.Boolean(Limits.IgnoreEos, false),
            MinTokens = fields.Int32(Limits.MinTokens) ?? 0,
            MaxTokens = maxTokens,
            LogitBias = LogitBias(fields),
            BadWords = BadWords(fields, state),
            AllowedTokenIds = fields.TokenIds(Limits.AllowedTokenIds),
            Logprobs = logprobs,
            PromptLogprobs = promptLogprobs,
        };
        sampling.Validate(state.Engine.VocabularySize, state.Engine.MaxModelLen, state.Engine.Options.MaxLogprobs);
        if (sampling.StopStrings.Count > 0 && state.Engine.Tokenizer is null)
        {
            throw new RequestValidationException("stop needs a tokenizer, and this model is served with token ids only", "stop");
        }

        return sampling;
    }

    private static Dictionary<int, float>? LogitBias(Fields fields)
    {
        if (fields.Object(Limits.LogitBias) is not JsonElement entries || entries.GetPropertyCount() == 0)
        {
            return null;
        }

        Dictionary<int, float> bias = new(entries.GetPropertyCount());
        foreach ((string key, JsonElement value) in new Fields(entries, "logit_bias").Values)
        {
            if (!int.TryParse(key, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int id))
            {
                throw fields.Wrong("logit_bias", $"must have token ids as keys, got {Quote.Text(key)}");
            }

            if (value.ValueKind != JsonValueKind.Number || !double.IsFinite(value.GetDouble()))
            {
                throw fields.Wrong("logit_bias", $"must have finite numbers as values, got {Quote.Json(value)} for {id}");
            }

            bias[id] = (float)Math.Clamp(value.GetDouble(), -100, 100);
        }

        return bias;
    }

    // The word at the start of a text and after a space. vLLM leaves the second out where the two differ in length, so that a word which is
    // one token after a space and two without could still come.
    private static List<int[]> BadWords(Fields fields, ServerState state)
    {
        IReadOnlyList<string> words = fields.Texts(Limits.BadWords);
        List<int[]> sequences = new(2 * words.Count);
        foreach (string word in words)
        {
            string bare = word.TrimStart();
            if (bare.Length == 0)
            {
                throw fields.Wrong("bad_words", "must not have an entry that is empty or only spaces");
            }

            int[] atStart = Encode(state, bare);
            int[] afterSpace = Encode(state, " " + bare);
            sequences.Add(atStart);
            if (!afterSpace.AsSpan().SequenceEqual(atStart))
            {
                sequences.Add(afterSpace);
            }
        }

        return sequences;
    }

    private static int[] Encode(ServerState state, string text) =>
        state.Engine.Tokenizer is { } tokenizer
            ? [.. tokenizer.Encode(text, addSpecialTokens: false)]
            : throw new RequestValidationException("bad_words needs a tokenizer, and this model is served with token ids only", "bad_words");
}
