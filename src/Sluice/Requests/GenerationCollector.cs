using System.Text;

namespace Sluice.Requests;

/// <summary>Reads a stream to its end and keeps everything.</summary>
internal static class GenerationCollector
{
    public static async Task<GenerationResult> ReadAsync(
        TextStream stream, IReadOnlyList<int> promptTokenIds, int choiceCount, CancellationToken cancellation)
    {
        var choices = new Choice[choiceCount];
        for (int i = 0; i < choiceCount; i++)
        {
            choices[i] = new Choice();
        }

        await foreach (TextOutput output in stream.WithCancellation(cancellation).ConfigureAwait(false))
        {
            choices[output.ChoiceIndex].Add(output);
        }

        return new GenerationResult
        {
            PromptTokenIds = promptTokenIds,
            Choices = [.. choices.Select(static choice => choice.Result())],
            PromptLogprobs = choices[0].PromptLogprobs,
            CachedTokenCount = choices[0].CachedTokenCount,
        };
    }

    private sealed class Choice
    {
        private readonly StringBuilder _text = new();
        private readonly List<int> _tokenIds = [];
        private List<PositionLogprobs>? _logprobs;
        private TextOutput? _last;

        public IReadOnlyList<PositionLogprobs?>? PromptLogprobs { get; private set; }

        public int CachedTokenCount { get; private set; }

        public void Add(TextOutput output)
        {
            _text.Append(output.Text);
            _tokenIds.AddRange(output.TokenIds);
            if (output.Logprobs is not null)
            {
                (_logprobs ??= []).AddRange(output.Logprobs);
            }

            PromptLogprobs ??= output.PromptLogprobs;
            CachedTokenCount = Math.Max(CachedTokenCount, output.CachedTokenCount);
            _last = output;
        }

        public GeneratedText Result() => new()
        {
            Text = _text.ToString(),
            TokenIds = _tokenIds,
            Logprobs = _logprobs,
            FinishReason = _last?.FinishReason ?? FinishReason.Abort,
            StopString = _last?.StopString,
            StopTokenId = _last?.StopTokenId,
            Error = _last?.Error,
        };
    }
}
