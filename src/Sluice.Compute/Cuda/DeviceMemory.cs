using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>
/// The device memory of one backend: every byte is taken here and accounted by kind. What is not freed goes back on disposal.
/// Safe for several threads. The driver packs small requests together and aligns all to 256 bytes at least.
/// </summary>
internal sealed unsafe class DeviceMemory(CudaDevice device) : IDisposable
{
    private readonly Driver _driver = Driver.Api;
    private readonly Lock _lock = new();
    private readonly Dictionary<nint, Block> _blocks = [];
    private readonly long[] _bytes = new long[Enum.GetValues<MemoryKind>().Length];

    private readonly record struct Block(long SizeBytes, MemoryKind Kind);

    /// <summary>Requests so far: does not grow in steady state.</summary>
    public long RequestCount { get; private set; }

    /// <summary>Bytes in use for a purpose.</summary>
    public long BytesOf(MemoryKind kind)
    {
        lock (_lock)
        {
            return _bytes[(int)kind];
        }
    }

    /// <summary>Memory that holds what it held before.</summary>
    /// <exception cref="InsufficientMemoryException">Says how much was asked, for what, and what is free.</exception>
    public nint Allocate(long sizeBytes, MemoryKind kind, string purpose)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        sizeBytes = Math.Max(sizeBytes, 1);
        device.MakeCurrent();
        nint address;
        CudaResult result = _driver.MemAlloc(&address, (nuint)sizeBytes);
        if (result == CudaResult.OutOfMemory)
        {
            throw Failure(sizeBytes, purpose);
        }

        device.Check(result, "cuMemAlloc");
        lock (_lock)
        {
            _blocks.Add(address, new Block(sizeBytes, kind));
            _bytes[(int)kind] += sizeBytes;
            RequestCount++;
        }

        return address;
    }

    /// <summary>Waits for the device, since an operation may still use the memory, and gives it back.</summary>
    public void Free(nint address)
    {
        lock (_lock)
        {
            if (!_blocks.Remove(address, out Block block))
            {
                throw new ArgumentException("The memory does not belong to this backend, or was freed before.", nameof(address));
            }

            _bytes[(int)block.Kind] -= block.SizeBytes;
        }

        device.MakeCurrent();
        device.Check(_driver.MemFree(address), "cuMemFree");
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (device.TryMakeCurrent())
            {
                foreach (nint address in _blocks.Keys)
                {
                    // A lost device refuses; the process gives everything back when it ends.
                    _ = _driver.MemFree(address);
                }
            }

            _blocks.Clear();
        }
    }

    private InsufficientMemoryException Failure(long sizeBytes, string purpose)
    {
        (long total, long free) = device.ReadMemory();
        return new InsufficientMemoryException(
            $"Cannot allocate {ByteText.Format(sizeBytes)} of GPU memory for {purpose}: {ByteText.Format(free)} of {ByteText.Format(total)} is free on {device.Name}" +
            $" (weights {Used(MemoryKind.Weights)}, key-value cache {Used(MemoryKind.KvCache)}, activations {Used(MemoryKind.Tensors)}, workspace {Used(MemoryKind.Scratch)}).");
    }

    private string Used(MemoryKind kind) => ByteText.Format(BytesOf(kind));
}
