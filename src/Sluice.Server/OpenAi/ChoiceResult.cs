using System.Text;
using Sluice.Requests;
using Sluice.Text.Reasoning;

namespace Sluice.Server.OpenAi;

/// <summary>One choice of an answer that is sent as a whole, while it grows.</summary>
internal sealed class ChoiceResult
{
    private readonly ReasoningSplit? _split;
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _reasoning = new();

    /// <param name="split">Takes the thinking out of the text; none for completions.</param>
    private ChoiceResult(ReasoningSplit? split) => _split = split;

    public List<int> TokenIds { get; } = [];

    /// <summary>One for each token, when asked for.</summary>
    public List<PositionLogprobs> Logprobs { get; } = [];

    public IReadOnlyList<PositionLogprobs?>? PromptLogprobs { get; private set; }

    public int CachedTokenCount { get; private set; }

    /// <summary>The output that ended it.</summary>
    public TextOutput? Last { get; private set; }

    public string Text => _text.ToString();

    public string Reasoning => _reasoning.ToString();

    /// <summary>Tokens of thinking; none where nothing tells them apart.</summary>
    public int? ReasoningTokenCount => _split?.TokenCount;

    /// <summary>Reads all choices to their ends.</summary>
    /// <param name="generation">What runs.</param>
    /// <param name="promptCount">Prompts of the request.</param>
    /// <param name="choicesPerPrompt">Choices of each.</param>
    /// <param name="makeSplit">Makes what takes the thinking out of a choice; none for completions.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <returns>Prompt by prompt, choice by choice.</returns>
    /// <exception cref="GenerationFailedException">The engine could not finish a choice.</exception>
    public static async Task<ChoiceResult[]> CollectAsync(
        Generation generation, int promptCount, int choicesPerPrompt, Func<ReasoningSplit>? makeSplit, CancellationToken cancellation)
    {
        ChoiceResult[] choices = new ChoiceResult[promptCount * choicesPerPrompt];
        for (int index = 0; index < choices.Length; index++)
        {
            choices[index] = new ChoiceResult(makeSplit?.Invoke());
        }

        await foreach (PromptOutput item in generation.ReadAsync(cancellation))
        {
            GenerationFailedException.ThrowIfFailed(item.Output);
            choices[(item.PromptIndex * choicesPerPrompt) + item.Output.ChoiceIndex].Add(item.Output);
        }

        return choices;
    }

    private void Add(TextOutput output)
    {
        if (_split is null)
        {
            _text.Append(output.Text);
        }
        else
        {
            ReasoningDelta delta = _split.Next(output);
            _reasoning.Append(delta.Reasoning);
            _text.Append(delta.Content);
        }

        TokenIds.AddRange(output.TokenIds);
        Logprobs.AddRange(output.Logprobs ?? []);
        PromptLogprobs ??= output.PromptLogprobs;
        CachedTokenCount += output.CachedTokenCount;
        Last = output.FinishReason is null ? Last : output;
    }
}
