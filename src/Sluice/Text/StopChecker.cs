namespace Sluice.Text;

/// <summary>
/// Looks for stop strings in text that comes in parts, over the edges of the parts. Holds back only what may be the beginning
/// of a stop string. The first stop string to be complete ends the stream, whatever the parts are; of several that end at
/// the same place, the longest. Work is linear in the text, for any number of stop strings.
/// </summary>
/// <remarks>Belongs to one stream; not thread-safe. An Aho-Corasick automaton whose depth is the length to hold back.</remarks>
public sealed class StopChecker
{
    private readonly bool _includeStopString;
    private readonly Dictionary<(int Node, char Unit), int> _edges = [];
    private readonly List<Node> _nodes = [new Node(0)];
    private string _held = "";
    private int _node;
    private bool _ended;

    /// <param name="stopStrings">The texts to stop at; none may be empty.</param>
    /// <param name="includeStopString">Whether the stop string itself is given out.</param>
    public StopChecker(IReadOnlyList<string> stopStrings, bool includeStopString)
    {
        ArgumentNullException.ThrowIfNull(stopStrings);
        _includeStopString = includeStopString;
        foreach (string stop in stopStrings)
        {
            if (string.IsNullOrEmpty(stop))
            {
                throw new ArgumentException("A stop string must not be empty.", nameof(stopStrings));
            }

            Add(stop);
        }

        LinkFailures();
    }

    /// <summary>Takes more text; returns what may be given out.</summary>
    /// <param name="delta">The new text.</param>
    /// <param name="matched">The stop string that ends the stream; null while it goes on. After the end nothing more comes.</param>
    public string Append(string delta, out string? matched)
    {
        ArgumentNullException.ThrowIfNull(delta);
        matched = null;
        if (_ended)
        {
            return "";
        }

        for (int i = 0; i < delta.Length; i++)
        {
            _node = Step(_node, delta[i]);
            matched = _nodes[_node].Match;
            if (matched is not null)
            {
                _ended = true;
                string text = _held + delta[..(i + 1)];
                _held = "";
                return _includeStopString ? text : text[..^matched.Length];
            }
        }

        int holdLength = _nodes[_node].Depth;
        if (holdLength == 0 && _held.Length == 0)
        {
            return delta;
        }

        string all = _held + delta;
        _held = all[^holdLength..];
        return all[..^holdLength];
    }

    /// <summary>The text that was held back, when the stream ends without a stop string.</summary>
    public string Flush()
    {
        string text = _held;
        (_held, _node) = ("", 0);
        return text;
    }

    private void Add(string stop)
    {
        int node = 0;
        foreach (char unit in stop)
        {
            if (!_edges.TryGetValue((node, unit), out int next))
            {
                next = _nodes.Count;
                _nodes.Add(new Node(_nodes[node].Depth + 1) { Parent = node, Unit = unit });
                _edges[(node, unit)] = next;
            }

            node = next;
        }

        _nodes[node].Match = stop;
    }

    /// <summary>Breadth first: a node's failure is the longest proper suffix of it that is also the beginning of a stop string.</summary>
    private void LinkFailures()
    {
        foreach (Node node in _nodes.OrderBy(static node => node.Depth))
        {
            if (node.Depth > 1)
            {
                node.Failure = Step(_nodes[node.Parent].Failure, node.Unit);
            }

            node.Match ??= _nodes[node.Failure].Match;
        }
    }

    private int Step(int node, char unit)
    {
        int next;
        while (!_edges.TryGetValue((node, unit), out next))
        {
            if (node == 0)
            {
                return 0;
            }

            node = _nodes[node].Failure;
        }

        return next;
    }

    private sealed class Node(int depth)
    {
        public int Depth { get; } = depth;

        public int Parent { get; init; }

        public char Unit { get; init; }

        public int Failure { get; set; }

        /// <summary>The longest stop string that ends here.</summary>
        public string? Match { get; set; }
    }
}
