using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>
/// A mark in a stream. Recorded by the thread that enqueues, waited for by any one thread. A wait first asks a few times, since most
/// marks are near when somebody waits for them, and then sleeps in the driver until the device's interrupt.
/// </summary>
internal sealed unsafe class CudaEvent : Fence
{
    private const uint BlockingSync = 1;
    private const uint DisableTiming = 2;
    private const int SpinCount = 40;

    private readonly Driver _driver = Driver.Api;
    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private nint _handle;

    /// <param name="device">The device.</param>
    /// <param name="stream">The stream that <see cref="Record"/> marks.</param>
    /// <param name="timing">Whether <see cref="MillisecondsSince"/> is wanted; slower to record.</param>
    public CudaEvent(CudaDevice device, CudaStream stream, bool timing = false)
    {
        _device = device;
        _stream = stream;
        device.MakeCurrent();
        nint handle;
        device.Check(_driver.EventCreate(&handle, BlockingSync | (timing ? 0 : DisableTiming)), "cuEventCreate");
        _handle = handle;
    }

    /// <inheritdoc/>
    public override bool IsReached
    {
        get
        {
            _device.MakeCurrent();
            CudaResult result = _driver.EventQuery(_handle);
            if (result == CudaResult.NotReady)
            {
                return false;
            }

            _device.Check(result, "cuEventQuery");
            return true;
        }
    }

    /// <inheritdoc/>
    public override void Record()
    {
        _device.MakeCurrent();
        _device.Check(_driver.EventRecord(_handle, _stream.Handle), "cuEventRecord");
    }

    /// <inheritdoc/>
    public override void Wait()
    {
        for (int i = 0; i < SpinCount; i++)
        {
            if (IsReached)
            {
                return;
            }

            Thread.SpinWait(20);
        }

        _device.Check(_driver.EventSynchronize(_handle), "cuEventSynchronize");
    }

    /// <summary>Time between two marks that are reached.</summary>
    public float MillisecondsSince(CudaEvent earlier)
    {
        float milliseconds;
        _device.Check(_driver.EventElapsedTime(&milliseconds, earlier._handle, _handle), "cuEventElapsedTime");
        return milliseconds;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_handle != 0 && _device.TryMakeCurrent())
        {
            _ = _driver.EventDestroy(_handle);
        }

        _handle = 0;
    }
}
