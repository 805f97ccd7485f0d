using Sluice.Text;

namespace Sluice.Requests;

/// <summary>
/// A request's tokens as text, for one reader. Detokenizing and looking for stop strings happen on the reader's side, so that
/// they never delay the device. A choice whose stop string appears is aborted in the engine. Leaving the loop early,
/// disposing, or cancelling aborts what still runs.
/// </summary>
public sealed class TextStream : IAsyncEnumerable<TextOutput>, IAsyncDisposable
{
    private readonly RequestStream _tokens;
    private readonly ChoiceText[] _choices;

    /// <param name="tokens">The request's outputs; owned from here on.</param>
    /// <param name="tokenizer">None: outputs carry ids only.</param>
    /// <param name="sampling">The request's parameters.</param>
    /// <param name="options">How tokens become text.</param>
    /// <exception cref="RequestValidationException">Stop strings without a tokenizer; check it before the request is submitted.</exception>
    public TextStream(RequestStream tokens, Tokenizer? tokenizer, SamplingParams sampling, TextOptions options)
    {
        CheckStops(tokenizer, sampling);
        _tokens = tokens;
        _choices = new ChoiceText[sampling.N];
        for (int i = 0; i < _choices.Length; i++)
        {
            _choices[i] = new ChoiceText(tokenizer, sampling, options);
        }
    }

    /// <summary>Name of the request.</summary>
    public string RequestId => _tokens.RequestId;

    /// <summary>The reader; there is one only.</summary>
    public async IAsyncEnumerator<TextOutput> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        int open = _choices.Length;
        await foreach (TokenOutput output in _tokens.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            ChoiceText choice = _choices[output.ChoiceIndex];
            if (choice.IsFinished)
            {
                // The engine's answer to the abort of a choice that a stop string ended.
                continue;
            }

            TextOutput text = choice.Append(output);
            if (choice.IsFinished)
            {
                open--;
                if (output.FinishReason is null)
                {
                    _tokens.Abort(output.ChoiceIndex);
                }
            }

            yield return text;
            if (open == 0)
            {
                break;
            }
        }
    }

    /// <summary>Aborts what still runs.</summary>
    public ValueTask DisposeAsync() => _tokens.DisposeAsync();

    /// <summary>Stop strings need text to look at.</summary>
    internal static void CheckStops(Tokenizer? tokenizer, SamplingParams sampling)
    {
        if (tokenizer is null && sampling.StopStrings.Count > 0)
        {
            throw new RequestValidationException("stop strings need a tokenizer, and this model is served without one.", "stop");
        }
    }
}
