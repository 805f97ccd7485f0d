namespace Sluice.Text.Tokenization.Models;

/// <summary>
/// Possible merges of a long word, taken by rank, of equal ranks from left to right. One bucket a rank: merges of one rank are
/// found in a sweep from left to right, so that adding and taking are sequential, where one heap over a megabyte of merges
/// misses the cache at each level (measured 5 times slower).
/// </summary>
internal sealed class MergeQueue
{
    private readonly Dictionary<int, Bucket> _buckets = [];
    private readonly PriorityQueue<Bucket, int> _waiting = new();
    private Bucket? _lastAdded;

    public void Add(int rank, int position)
    {
        Bucket? bucket = _lastAdded;
        if (bucket is null || bucket.Rank != rank)
        {
            if (!_buckets.TryGetValue(rank, out bucket))
            {
                bucket = new Bucket(rank);
                _buckets[rank] = bucket;
            }

            _lastAdded = bucket;
        }

        if (bucket.IsEmpty)
        {
            _waiting.Enqueue(bucket, rank);
        }

        bucket.Add(position);
    }

    public bool TryTake(out int rank, out int position)
    {
        if (!_waiting.TryPeek(out Bucket? bucket, out rank))
        {
            position = 0;
            return false;
        }

        position = bucket.Take();
        if (bucket.IsEmpty)
        {
            _waiting.Dequeue();
        }

        return true;
    }

    /// <summary>Positions in ascending order: a queue of those that came in order, and a heap of the few that did not.</summary>
    private sealed class Bucket(int rank)
    {
        private int[] _inOrder = new int[4];
        private int _head;
        private int _tail;
        private PriorityQueue<int, int>? _outOfOrder;

        public int Rank => rank;

        public bool IsEmpty => _head == _tail && _outOfOrder is not { Count: > 0 };

        public void Add(int position)
        {
            if (_head == _tail)
            {
                _head = _tail = 0;
            }
            else if (position < _inOrder[_tail - 1])
            {
                _outOfOrder ??= new PriorityQueue<int, int>();
                _outOfOrder.Enqueue(position, position);
                return;
            }

            if (_tail == _inOrder.Length)
            {
                Array.Resize(ref _inOrder, _tail * 2);
            }

            _inOrder[_tail++] = position;
        }

        public int Take() =>
            _outOfOrder is { Count: > 0 } && (_head == _tail || _outOfOrder.Peek() < _inOrder[_head])
                ? _outOfOrder.Dequeue()
                : _inOrder[_head++];
    }
}
