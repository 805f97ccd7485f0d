namespace Sluice.Text.Tokenization.PreTokenizers;

/// <summary>Takes the matching and other parts of one piece from left to right and adds pieces as the behaviour says.</summary>
internal struct SplitSink(List<TextSpan> pieces, SplitBehavior behavior, bool inverted)
{
    private bool _hasCurrent;
    private int _currentStart;
    private int _currentEnd;
    private bool _previousMatched;

    public void Add(int start, int end, bool matches)
    {
        matches ^= inverted;
        switch (behavior)
        {
            case SplitBehavior.Isolated:
                Emit(start, end);
                return;
            case SplitBehavior.Removed:
                if (!matches)
                {
                    Emit(start, end);
                }

                return;
            case SplitBehavior.Contiguous:
                AddOrExtend(start, end, matches == _previousMatched);
                break;
            case SplitBehavior.MergedWithPrevious:
                AddOrExtend(start, end, matches && !_previousMatched);
                break;
            default:
                AddOrExtend(start, end, _previousMatched && !matches);
                break;
        }

        _previousMatched = matches;
    }

    public void Finish()
    {
        if (_hasCurrent)
        {
            Emit(_currentStart, _currentEnd);
            _hasCurrent = false;
        }
    }

    private void AddOrExtend(int start, int end, bool extends)
    {
        if (extends && _hasCurrent)
        {
            _currentEnd = end;
            return;
        }

        Finish();
        (_currentStart, _currentEnd, _hasCurrent) = (start, end, true);
    }

    private readonly void Emit(int start, int end)
    {
        if (end > start)
        {
            pieces.Add(new TextSpan(start, end - start));
        }
    }
}
