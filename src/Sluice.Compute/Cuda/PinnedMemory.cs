using System.Runtime.InteropServices;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>Page-locked host memory, which the device copies from and to by itself at the speed of the bus.</summary>
internal sealed unsafe class PinnedMemory : HostBuffer
{
    private const uint Portable = 1;

    private readonly CudaDevice _device;
    private readonly PinnedRanges? _ranges;

    /// <param name="device">Any device: the memory is pinned for all.</param>
    /// <param name="sizeBytes">Size.</param>
    /// <param name="purpose">What it is for, in the words of an error message.</param>
    /// <param name="ranges">Where the memory is to be found by address, if it is.</param>
    public PinnedMemory(CudaDevice device, long sizeBytes, string purpose, PinnedRanges? ranges = null)
        : base(Allocate(device, sizeBytes, purpose), sizeBytes)
    {
        _device = device;
        _ranges = ranges;
        ranges?.Add(Address, sizeBytes);
    }

    private protected override void Release(nint address)
    {
        _ranges?.Remove(address);
        if (_device.TryMakeCurrent())
        {
            _ = Driver.Api.MemFreeHost(address);
        }
    }

    private static nint Allocate(CudaDevice device, long sizeBytes, string purpose)
    {
        device.MakeCurrent();
        nuint bytes = checked((nuint)Math.Max(1, sizeBytes));
        nint address;
        CudaResult result = Driver.Api.MemHostAlloc(&address, bytes, Portable);
        if (result == CudaResult.OutOfMemory)
        {
            throw new InsufficientMemoryException(
                $"Cannot pin {ByteText.Format(sizeBytes)} of host memory for {purpose}: the operating system refused (free memory, or the limit of locked memory: ulimit -l).");
        }

        device.Check(result, "cuMemHostAlloc");
        NativeMemory.Clear((void*)address, bytes);
        return address;
    }
}

/// <summary>Which host addresses are pinned. Safe for several threads.</summary>
internal sealed class PinnedRanges
{
    private readonly Lock _lock = new();
    private readonly List<(nint Address, long SizeBytes)> _ranges = [];

    public void Add(nint address, long sizeBytes)
    {
        lock (_lock)
        {
            _ranges.Add((address, sizeBytes));
        }
    }

    public void Remove(nint address)
    {
        lock (_lock)
        {
            _ranges.RemoveAll(range => range.Address == address);
        }
    }

    public bool Contains(nint address, long sizeBytes)
    {
        lock (_lock)
        {
            foreach ((nint start, long length) in _ranges)
            {
                if (address >= start && address + (nint)sizeBytes <= start + (nint)length)
                {
                    return true;
                }
            }
        }

        return false;
    }
}
