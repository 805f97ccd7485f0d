using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>A queue of operations on a device, independent of the default stream. Enqueued to by one thread at a time.</summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;

    private readonly Driver _driver = Driver.Api;
    private readonly CudaDevice _device;

    public CudaStream(CudaDevice device)
    {
        _device = device;
        device.MakeCurrent();
        nint handle;
        device.Check(_driver.StreamCreateWithPriority(&handle, NonBlocking, 0), "cuStreamCreateWithPriority");
        Handle = handle;
    }

    /// <summary>The driver's handle; 0 after <see cref="Dispose"/>.</summary>
    public nint Handle { get; private set; }

    /// <summary>Waits until everything enqueued is done.</summary>
    public void Synchronize()
    {
        _device.MakeCurrent();
        _device.Check(_driver.StreamSynchronize(Handle), "cuStreamSynchronize");
    }

    public void CopyToDevice(nint destination, nint source, long sizeBytes)
        => _device.Check(_driver.MemcpyHostToDeviceAsync(destination, source, (nuint)sizeBytes, Handle), "cuMemcpyHtoDAsync");

    public void CopyToHost(nint destination, nint source, long sizeBytes)
        => _device.Check(_driver.MemcpyDeviceToHostAsync(destination, source, (nuint)sizeBytes, Handle), "cuMemcpyDtoHAsync");

    /// <summary>Copies rows that follow each other on the host into rows that are further apart on the device.</summary>
    public void CopyRowsToDevice(nint destination, long destinationPitchBytes, nint source, int rowBytes, int rows)
    {
        Copy2D copy = new()
        {
            SourceType = MemoryType.Host,
            SourceHost = source,
            SourcePitchBytes = (nuint)rowBytes,
            DestinationType = MemoryType.Device,
            DestinationDevice = destination,
            DestinationPitchBytes = (nuint)destinationPitchBytes,
            WidthBytes = (nuint)rowBytes,
            Height = (nuint)rows,
        };
        _device.Check(_driver.Memcpy2DAsync(&copy, Handle), "cuMemcpy2DAsync");
    }

    public void Clear(nint address, long sizeBytes)
        => _device.Check(_driver.MemsetBytesAsync(address, 0, (nuint)sizeBytes, Handle), "cuMemsetD8Async");

    public void Dispose()
    {
        if (Handle != 0 && _device.TryMakeCurrent())
        {
            _ = _driver.StreamDestroy(Handle);
        }

        Handle = 0;
    }
}
