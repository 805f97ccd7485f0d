using System.Buffers;
using Sluice.Text.Patterns;

namespace Sluice.Text.Tokenization;

/// <summary>Finds added tokens in a text: leftmost first, of several at one place the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<(int Node, char Unit), int> _edges = [];
    private readonly List<AddedToken?> _tokenAt = [null];
    private readonly SearchValues<char> _firstUnits;

    public AddedTokenMatcher(IEnumerable<(string Pattern, AddedToken Token)> tokens)
    {
        var firstUnits = new HashSet<char>();
        foreach ((string pattern, AddedToken token) in tokens)
        {
            if (pattern.Length == 0)
            {
                continue;
            }

            firstUnits.Add(pattern[0]);
            int node = 0;
            foreach (char unit in pattern)
            {
                if (!_edges.TryGetValue((node, unit), out int next))
                {
                    next = _tokenAt.Count;
                    _tokenAt.Add(null);
                    _edges[(node, unit)] = next;
                }

                node = next;
            }

            _tokenAt[node] ??= token;
        }

        _firstUnits = SearchValues.Create([.. firstUnits]);
        IsEmpty = firstUnits.Count == 0;
    }

    public bool IsEmpty { get; }

    /// <summary>
    /// The next match at or after <paramref name="searchStart"/>.
    /// </summary>
    /// <param name="text">The whole text.</param>
    /// <param name="searchStart">Where to search from.</param>
    /// <param name="floor">Where the previous match ended: white space before it is not taken.</param>
    /// <param name="isAllowed">Says whether a token may match at a place (start and end of its own text).</param>
    public Match? Find(ReadOnlySpan<char> text, int searchStart, int floor, Func<AddedToken, int, int, bool>? isAllowed)
    {
        int position = searchStart;
        while (position < text.Length)
        {
            int found = text[position..].IndexOfAny(_firstUnits);
            if (found < 0)
            {
                return null;
            }

            position += found;
            AddedToken? token = LongestAt(text, position, isAllowed, out int end);
            if (token is null)
            {
                position++;
                continue;
            }

            if (token.SingleWord && TouchesWord(text, position, end))
            {
                position = end;
                continue;
            }

            int start = position;
            int searchNext = end;
            while (token.LeftStrip && start > floor && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.RightStrip && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            return new Match(token, start, end, searchNext);
        }

        return null;
    }

    private AddedToken? LongestAt(
        ReadOnlySpan<char> text, int start, Func<AddedToken, int, int, bool>? isAllowed, out int end)
    {
        AddedToken? longest = null;
        end = start;
        int node = 0;
        for (int position = start; position < text.Length && _edges.TryGetValue((node, text[position]), out node); position++)
        {
            if (_tokenAt[node] is { } token && (isAllowed is null || isAllowed(token, start, position + 1)))
            {
                longest = token;
                end = position + 1;
            }
        }

        return longest;
    }

    private static bool TouchesWord(ReadOnlySpan<char> text, int start, int end) =>
        (start > 0 && CodePoints.IsWord(CodePoints.Before(text, start, out _)))
        || (end < text.Length && CodePoints.IsWord(CodePoints.At(text, end, out _)));

    /// <param name="Token">What was found.</param>
    /// <param name="Start">Its first unit, stripped white space included.</param>
    /// <param name="End">The unit after its last, stripped white space included.</param>
    /// <param name="SearchNext">Where the search for the next one goes on.</param>
    internal sealed record Match(AddedToken Token, int Start, int End, int SearchNext);
}
