using System.Text;
using Sluice.Requests;
using Sluice.Server.OpenAi;

namespace Sluice.Server.Streaming;

/// <summary>Joins the outputs of a choice until they hold enough tokens for a chunk (<c>--stream-interval</c>); the first goes alone.</summary>
internal sealed class IntervalMerger(int interval)
{
    private readonly Dictionary<(int Prompt, int Choice), Pending> _choices = [];

    /// <summary>Takes an output; true when a chunk is due, which is then in <paramref name="item"/>.</summary>
    public bool TryMerge(ref PromptOutput item)
    {
        (int, int) key = (item.PromptIndex, item.Output.ChoiceIndex);
        if (!_choices.TryGetValue(key, out Pending? pending))
        {
            _choices.Add(key, new Pending());
            return true;
        }

        pending.Add(item.Output);
        if (item.Output.FinishReason is null && pending.TokenIds.Count < interval)
        {
            return false;
        }

        item = item with { Output = pending.Take(item.Output) };
        return true;
    }

    private sealed class Pending
    {
        private readonly StringBuilder _text = new();
        private List<PositionLogprobs>? _logprobs;

        public List<int> TokenIds { get; private set; } = [];

        public void Add(TextOutput output)
        {
            _text.Append(output.Text);
            TokenIds.AddRange(output.TokenIds);
            if (output.Logprobs is { } logprobs)
            {
                (_logprobs ??= []).AddRange(logprobs);
            }
        }

        public TextOutput Take(TextOutput last)
        {
            TextOutput merged = last with { Text = _text.ToString(), TokenIds = TokenIds, Logprobs = _logprobs };
            _text.Clear();
            TokenIds = [];
            _logprobs = null;
            return merged;
        }
    }
}
