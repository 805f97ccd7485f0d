using System.Runtime.InteropServices;
using Sluice.Compute;

namespace Sluice.Sampling;

/// <summary>
/// A list of structures of 32-bit words that is built on the host each step and copied into a tensor of its own. Both only grow.
/// </summary>
/// <param name="backend">Owner of the tensor.</param>
/// <param name="words">Size of the structure in 32-bit words.</param>
internal sealed class DeviceRows<T>(IBackend backend, int words)
    where T : unmanaged
{
    private T[] _items = new T[16];
    private Tensor _tensor;

    public int Count { get; private set; }

    /// <summary>Takes memory for so many rows at once.</summary>
    public void Reserve(int count)
    {
        if (count > _items.Length)
        {
            Array.Resize(ref _items, count);
        }

        EnsureTensor(count);
    }

    public void Clear() => Count = 0;

    public void Add(in T item)
    {
        if (Count == _items.Length)
        {
            Array.Resize(ref _items, Count * 2);
        }

        _items[Count++] = item;
    }

    /// <summary>The items on the device: int32 [count, words].</summary>
    public Tensor Upload(UploadStaging staging)
    {
        if (Count == 0)
        {
            return _tensor with { Rows = 0 };
        }

        EnsureTensor(Count);
        Tensor filled = _tensor.SliceRows(0, Count);
        staging.Upload(filled, (ReadOnlySpan<int>)MemoryMarshal.Cast<T, int>(_items.AsSpan(0, Count)));
        return filled;
    }

    private void EnsureTensor(int count)
    {
        if (count > _tensor.Rows)
        {
            if (_tensor.Rows > 0)
            {
                backend.Free(_tensor);
            }

            _tensor = backend.Allocate(_items.Length, words, DType.Int32);
        }
    }
}
