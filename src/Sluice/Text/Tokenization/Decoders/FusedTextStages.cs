using System.Text;

namespace Sluice.Text.Tokenization.Decoders;

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
