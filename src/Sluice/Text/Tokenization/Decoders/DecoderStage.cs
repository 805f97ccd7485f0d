using System.Text;

namespace Sluice.Text.Tokenization.Decoders;

/// <summary>
/// One step of decoding, over a stream of token texts. A stage keeps what it cannot decide yet and gives it out later; a whole
/// sequence is decoded by pushing all tokens and finishing. Stages are stateful and belong to one stream.
/// </summary>
internal abstract class DecoderStage
{
    /// <summary>Takes the next token's text (after a fusing stage: the next part of the one text).</summary>
    public abstract void Push(string token, Action<string> emit);

    /// <summary>The stream has ended.</summary>
    public virtual void Finish(Action<string> emit)
    {
    }
}

/// <summary>Joins all tokens to one text: the stages after it see parts of that text. Nothing else to do here.</summary>
internal sealed class FuseStage : DecoderStage
{
    public override void Push(string token, Action<string> emit) => emit(token);
}

/// <summary>Maps each token on its own.</summary>
internal sealed class MapStage(Func<string, string> map) : DecoderStage
{
    public override void Push(string token, Action<string> emit) => emit(map(token));
}

/// <summary>Maps the first token and the others each in their own way.</summary>
internal sealed class FirstAndOthersStage(Func<string, string> mapFirst, Func<string, string> mapOther) : DecoderStage
{
    private bool _started;

    public override void Push(string token, Action<string> emit)
    {
        emit(_started ? mapOther(token) : mapFirst(token));
        _started = true;
    }
}

/// <summary>Maps the last token and the others each in their own way: holds one token back.</summary>
internal sealed class LastAndOthersStage(Func<string, string> mapOther, Func<string, string> mapLast) : DecoderStage
{
    private string? _held;

    public override void Push(string token, Action<string> emit)
    {
        if (_held is not null)
        {
            emit(mapOther(_held));
        }

        _held = token;
    }

    public override void Finish(Action<string> emit)
    {
        if (_held is not null)
        {
            emit(mapLast(_held));
            _held = null;
        }
    }
}

/// <summary>Removes up to so many of a character at the two ends of the one text that the stages before have fused.</summary>
internal sealed class StripTextStage(char content, int startCount, int stopCount) : DecoderStage
{
    private int _startLeft = startCount;
    private int _heldCount;

    public override void Push(string token, Action<string> emit)
    {
        int start = 0;
        while (start < token.Length && _startLeft > 0 && token[start] == content)
        {
            start++;
            _startLeft--;
        }

        if (start == token.Length)
        {
            return;
        }

        // The text has begun, whether all that may be stripped was there or not.
        _startLeft = 0;
        int end = token.Length;
        int trailing = 0;
        while (end > start && trailing < stopCount && token[end - 1] == content)
        {
            end--;
            trailing++;
        }

        if (end == start)
        {
            int total = _heldCount + trailing;
            _heldCount = Math.Min(total, stopCount);
            Release(total - _heldCount, emit);
            return;
        }

        Release(_heldCount, emit);
        _heldCount = trailing;
        emit(token[start..end]);
    }

    private void Release(int count, Action<string> emit)
    {
        if (count > 0)
        {
            emit(new string(content, count));
        }
    }
}

/// <summary>Replaces a fixed text in the one text that the stages before have fused; holds back what may be its beginning.</summary>
internal sealed class ReplaceTextStage(string literal, string replacement) : DecoderStage
{
    private string _held = "";

    public override void Push(string token, Action<string> emit)
    {
        string text = _held + token;
        var output = new StringBuilder();
        int position = 0;
        while (true)
        {
            int found = text.IndexOf(literal, position, StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            output.Append(text, position, found - position).Append(replacement);
            position = found + literal.Length;
        }

        int keep = Math.Min(literal.Length - 1, text.Length - position);
        while (keep > 0 && !literal.AsSpan().StartsWith(text.AsSpan(text.Length - keep)))
        {
            keep--;
        }

        emit(output.Append(text, position, text.Length - keep - position).ToString());
        _held = text[(text.Length - keep)..];
    }

    public override void Finish(Action<string> emit)
    {
        emit(_held);
        _held = "";
    }
}
