namespace Sluice.Text.Tokenization;

/// <summary>The parts of a text in which control tokens are only text: sorted, without overlap.</summary>
internal sealed class LiteralSpans
{
    private readonly TextSpan[] _spans;

    public LiteralSpans(IReadOnlyList<TextSpan> spans, int textLength)
    {
        foreach (TextSpan span in spans)
        {
            if (span.Start < 0 || span.Length < 0 || span.Start > textLength - span.Length)
            {
                throw new ArgumentOutOfRangeException(nameof(spans), $"The span {span.Start}+{span.Length} is outside the text of {textLength}.");
            }
        }

        TextSpan[] sorted = [.. spans.Where(static span => span.Length > 0).OrderBy(static span => span.Start)];
        var merged = new List<TextSpan>(sorted.Length);
        foreach (TextSpan span in sorted)
        {
            if (merged.Count > 0 && span.Start <= merged[^1].End)
            {
                int end = Math.Max(merged[^1].End, span.End);
                merged[^1] = new TextSpan(merged[^1].Start, end - merged[^1].Start);
            }
            else
            {
                merged.Add(span);
            }
        }

        _spans = [.. merged];
    }

    public bool IsEmpty => _spans.Length == 0;

    public bool Overlaps(int start, int end)
    {
        int low = 0;
        int high = _spans.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_spans[middle].End <= start)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low < _spans.Length && _spans[low].Start < end;
    }
}
