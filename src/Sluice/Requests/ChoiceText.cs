using Sluice.Text;

namespace Sluice.Requests;

/// <summary>Turns the tokens of one choice into text, and ends it at a stop string. Used by the reader alone.</summary>
internal sealed class ChoiceText
{
    private readonly Detokenizer? _detokenizer;
    private readonly StopChecker? _stops;
    private readonly bool _includeStop;
    private readonly int _minTokens;
    private int _tokenCount;
    private string? _matched;

    public ChoiceText(Tokenizer? tokenizer, SamplingParams sampling, TextOptions options)
    {
        _includeStop = sampling.IncludeStopString;
        _minTokens = sampling.MinTokens;
        if (tokenizer is not null)
        {
            _detokenizer = new Detokenizer(tokenizer, options.SkipSpecialTokens, options.PromptTail as int[] ?? [.. options.PromptTail]);
            _stops = sampling.StopStrings.Count > 0 ? new StopChecker(sampling.StopStrings, _includeStop) : null;
        }
    }

    /// <summary>The last output of the choice was made.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>
    /// The text of new tokens. A stop string may appear before the last of them; what comes after it is dropped, tokens too. A fault ends this choice
    /// alone.
    /// </summary>
    public TextOutput Append(TokenOutput output)
    {
        try
        {
            return _detokenizer is null ? WithText(output, "", output.TokenIds.Count) : Decode(output, _detokenizer);
        }
        catch (Exception exception)
        {
            IsFinished = true;
            return new TextOutput
            {
                ChoiceIndex = output.ChoiceIndex,
                Edge = new OutputEdge
                {
                    FinishReason = FinishReason.Error,
                    Error = "The text of the tokens could not be made: " + exception.Message,
                },
            };
        }
    }

    private TextOutput Decode(TokenOutput output, Detokenizer detokenizer)
    {
        string text = "";
        IReadOnlyList<int> ids = output.TokenIds;

        // The engine stops for no other reason than an end-of-sequence or stop token, which is then the last one.
        int silent = output.FinishReason == FinishReason.Stop && !_includeStop ? ids.Count - 1 : -1;
        for (int i = 0; i < ids.Count; i++)
        {
            _tokenCount++;
            if (i != silent)
            {
                text += Check(detokenizer.Append(ids[i]));
                if (_matched is not null)
                {
                    return WithText(output, text, i + 1);
                }
            }
        }

        if (output.FinishReason is not null)
        {
            text += Check(detokenizer.Flush());
            if (_matched is null && _stops is not null)
            {
                text += _stops.Flush();
            }
        }

        return WithText(output, text, ids.Count);
    }

    /// <summary>What of new text is safe to send. Text of the first min_tokens tokens is not searched.</summary>
    private string Check(string delta)
    {
        if (_stops is null || _tokenCount <= _minTokens || delta.Length == 0)
        {
            return delta;
        }

        return _stops.Append(delta, out _matched);
    }

    private TextOutput WithText(TokenOutput output, string text, int tokenCount)
    {
        bool whole = tokenCount == output.TokenIds.Count;
        OutputEdge? edge = _matched is null
            ? output.Edge
            : (output.Edge ?? new OutputEdge()) with { FinishReason = FinishReason.Stop, StopString = _matched, StopTokenId = null };
        IsFinished = edge?.FinishReason is not null;
        return new TextOutput
        {
            ChoiceIndex = output.ChoiceIndex,
            Text = text,
            TokenIds = whole ? output.TokenIds : [.. output.TokenIds.Take(tokenCount)],
            Logprobs = whole ? output.Logprobs : output.Logprobs is null ? null : [.. output.Logprobs.Take(tokenCount)],
            Edge = edge,
        };
    }
}
