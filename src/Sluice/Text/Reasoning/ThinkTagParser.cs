namespace Sluice.Text.Reasoning;

/// <summary>
/// Reasoning up to <c>&lt;/think&gt;</c> or one of the other marks (which stay in the content), content after it. An
/// opening tag at the very start is dropped, and none is needed: many templates write it into the prompt.
/// </summary>
internal sealed class ThinkTagParser : ReasoningParser
{
    private readonly string[] _marks;
    private string _held = "";
    private State _state;

    public ThinkTagParser(bool startsInReasoning, string[] otherMarks)
    {
        _marks = [ThinkTags.Close, .. otherMarks];
        _state = startsInReasoning ? State.Start : State.Content;
    }

    private enum State : byte
    {
        /// <summary>Nothing but whitespace and perhaps a part of the opening tag has come.</summary>
        Start,
        Reasoning,
        Content,
    }

    public override bool InReasoning => _state != State.Content;

    public override ReasoningDelta Append(string textDelta, int tokenCount = 0)
    {
        ArgumentNullException.ThrowIfNull(textDelta);
        if (_state == State.Content)
        {
            return new ReasoningDelta("", textDelta);
        }

        string text = _held.Length == 0 ? textDelta : _held + textDelta;
        _held = "";
        ReasoningTokenCount += tokenCount;
        if (_state == State.Start && !TryPassStart(ref text, tokenCount))
        {
            return new ReasoningDelta("", "");
        }

        int end = FindMark(text, out string mark);
        if (end < 0)
        {
            int kept = HeldLength(text);
            _held = text[^kept..];
            return new ReasoningDelta(text[..^kept], "");
        }

        _state = State.Content;
        ReasoningTokenCount -= Math.Min(tokenCount, 1);
        int contentStart = mark == ThinkTags.Close ? end + mark.Length : end;
        return new ReasoningDelta(text[..end], text[contentStart..]);
    }

    public override ReasoningDelta Flush()
    {
        string rest = _held;
        _held = "";
        return InReasoning ? new ReasoningDelta(rest, "") : new ReasoningDelta("", rest);
    }

    /// <summary>Drops the opening tag; false while it cannot be told whether there is one.</summary>
    private bool TryPassStart(ref string text, int tokenCount)
    {
        ReadOnlySpan<char> start = text.AsSpan().TrimStart();
        if (start.Length < ThinkTags.Open.Length && ThinkTags.Open.AsSpan().StartsWith(start, StringComparison.Ordinal))
        {
            _held = text;
            return false;
        }

        if (start.StartsWith(ThinkTags.Open, StringComparison.Ordinal))
        {
            text = start[ThinkTags.Open.Length..].ToString();
            ReasoningTokenCount -= Math.Min(tokenCount, 1);
        }

        _state = State.Reasoning;
        return true;
    }

    private int FindMark(string text, out string mark)
    {
        int first = -1;
        mark = "";
        foreach (string candidate in _marks)
        {
            int at = text.IndexOf(candidate, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
            {
                first = at;
                mark = candidate;
            }
        }

        return first;
    }

    /// <summary>The length of the longest end of the text that begins a mark.</summary>
    private int HeldLength(string text)
    {
        int longest = 0;
        foreach (string mark in _marks)
        {
            for (int length = Math.Min(mark.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan().EndsWith(mark.AsSpan(0, length), StringComparison.Ordinal))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }
}
