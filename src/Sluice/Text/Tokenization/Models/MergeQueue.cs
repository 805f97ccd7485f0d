using System.Buffers;

namespace Sluice.Text.Tokenization.Models;

/// <summary>A four-way min-heap of (rank, position), each pair one number, so that the order is that of plain integers.</summary>
internal struct MergeQueue(int capacity) : IDisposable
{
    private ulong[] _items = ArrayPool<ulong>.Shared.Rent(capacity);
    private int _count;

    /// <summary>Adds without keeping the order; <see cref="Heapify"/> must follow.</summary>
    public void Append(int rank, int position)
    {
        EnsureSpace();
        _items[_count++] = ((ulong)(uint)rank << 32) | (uint)position;
    }

    public readonly void Heapify()
    {
        for (int i = (_count - 2) >> 2; i >= 0; i--)
        {
            SiftDown(i, _items[i]);
        }
    }

    public void Add(int rank, int position)
    {
        EnsureSpace();
        ulong item = ((ulong)(uint)rank << 32) | (uint)position;
        int index = _count++;
        while (index > 0)
        {
            int parent = (index - 1) >> 2;
            if (_items[parent] <= item)
            {
                break;
            }

            _items[index] = _items[parent];
            index = parent;
        }

        _items[index] = item;
    }

    public bool TryTake(out int rank, out int position)
    {
        if (_count == 0)
        {
            (rank, position) = (0, 0);
            return false;
        }

        ulong top = _items[0];
        (rank, position) = ((int)(top >> 32), (int)(uint)top);
        ulong last = _items[--_count];
        if (_count > 0)
        {
            SiftDown(0, last);
        }

        return true;
    }

    public void Dispose()
    {
        ArrayPool<ulong>.Shared.Return(_items);
        _items = [];
        _count = 0;
    }

    private readonly void SiftDown(int index, ulong item)
    {
        while (true)
        {
            int first = (index << 2) + 1;
            if (first >= _count)
            {
                break;
            }

            int smallest = first;
            int end = Math.Min(first + 4, _count);
            for (int child = first + 1; child < end; child++)
            {
                if (_items[child] < _items[smallest])
                {
                    smallest = child;
                }
            }

            if (_items[smallest] >= item)
            {
                break;
            }

            _items[index] = _items[smallest];
            index = smallest;
        }

        _items[index] = item;
    }

    private void EnsureSpace()
    {
        if (_count < _items.Length)
        {
            return;
        }

        ulong[] larger = ArrayPool<ulong>.Shared.Rent(_count * 2);
        _items.AsSpan(0, _count).CopyTo(larger);
        ArrayPool<ulong>.Shared.Return(_items);
        _items = larger;
    }
}
