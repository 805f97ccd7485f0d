using System.Runtime.InteropServices;
using Sluice.Compute;

namespace Sluice.Sampling;

/// <summary>
/// A list of structures of 32-bit words that is built on the host each step and copied into a tensor of its own. Of fixed size: nothing is
/// allocated after construction.
/// </summary>
/// <param name="backend">Owner of the tensor.</param>
/// <param name="words">Size of the structure in 32-bit words.</param>
/// <param name="capacity">Most items.</param>
internal sealed class DeviceRows<T>(IBackend backend, int words, int capacity)
    where T : unmanaged
{
    private readonly T[] _items = new T[capacity];
    private readonly Tensor _tensor = backend.Allocate(capacity, words, DType.Int32);

    public int Count { get; private set; }

    /// <summary>Items that there is still room for.</summary>
    public int Room => capacity - Count;

    public void Clear() => Count = 0;

    public void Add(in T item) => _items[Count++] = item;

    /// <summary>The items on the device: int32 [count, words].</summary>
    public Tensor Upload(UploadStaging staging)
    {
        Tensor filled = _tensor.SliceRows(0, Count);
        if (Count > 0)
        {
            staging.Upload(filled, (ReadOnlySpan<int>)MemoryMarshal.Cast<T, int>(_items.AsSpan(0, Count)));
        }

        return filled;
    }
}
