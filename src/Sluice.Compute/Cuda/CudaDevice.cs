using System.Runtime.InteropServices;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>
/// A GPU and its primary context, which all libraries of the process share. Whoever calls the driver makes the context current on
/// its thread first (<see cref="MakeCurrent"/>: a comparison when it is already). Remembers the first error that destroyed the
/// context and throws it again at every later call, so that the cause is not lost behind its consequences.
/// </summary>
internal sealed unsafe class CudaDevice : IDisposable
{
    // The object and not its handle: a context that is made anew may get the handle of one that is gone.
    [ThreadStatic]
    private static CudaDevice? _current;

    private readonly Driver _driver;
    private readonly int _handle;
    private nint _context;
    private CudaException? _lost;

    /// <param name="ordinal">Number of the GPU among those that the process may see.</param>
    /// <exception cref="CudaUnavailableException">There is no driver, or no such GPU.</exception>
    /// <exception cref="CudaException">The GPU refuses a context.</exception>
    public CudaDevice(int ordinal)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        int count = Count();
        if (ordinal >= count)
        {
            throw new CudaUnavailableException(count == 0
                ? "The NVIDIA driver sees no GPU; check nvidia-smi, and CUDA_VISIBLE_DEVICES if it is set."
                : $"There is no GPU {ordinal}: the process sees {count}, numbered from 0 (CUDA_VISIBLE_DEVICES chooses them).");
        }

        _driver = Driver.Api;
        Ordinal = ordinal;
        int handle;
        Driver.Check(_driver.DeviceGet(&handle, ordinal), "cuDeviceGet");
        _handle = handle;
        Name = ReadName();
        ComputeCapability = (10 * Attribute(DeviceAttribute.ComputeCapabilityMajor)) + Attribute(DeviceAttribute.ComputeCapabilityMinor);
        if (ComputeCapability < OldestComputeCapability)
        {
            throw new CudaUnavailableException(
                $"{Name} has compute capability {ComputeCapability / 10}.{ComputeCapability % 10}, and bfloat16 tensor cores begin with 8.0 (Ampere); use --device cpu.");
        }

        MultiprocessorCount = Attribute(DeviceAttribute.MultiprocessorCount);
        SharedMemoryPerBlockOptIn = Attribute(DeviceAttribute.MaxSharedMemoryPerBlockOptIn);
        SharedMemoryPerMultiprocessor = Attribute(DeviceAttribute.MaxSharedMemoryPerMultiprocessor);
        L2Bytes = Attribute(DeviceAttribute.L2CacheBytes);
        nuint total;
        Driver.Check(_driver.DeviceTotalMem(&total, _handle), "cuDeviceTotalMem");
        TotalMemory = (long)total;
        nint context;
        Driver.Check(_driver.DevicePrimaryContextRetain(&context, _handle), $"creating a CUDA context on {Name}");
        _context = context;
        MakeCurrent();
    }

    private const int OldestComputeCapability = 80;

    /// <summary>Number of the GPU among those that the process may see.</summary>
    public int Ordinal { get; }

    /// <summary>Such as <c>NVIDIA H100 80GB HBM3</c>.</summary>
    public string Name { get; }

    /// <summary>Major and minor number in one, such as 90.</summary>
    public int ComputeCapability { get; }

    public int MultiprocessorCount { get; }

    /// <summary>Most shared memory that a block of threads may ask for, in bytes.</summary>
    public int SharedMemoryPerBlockOptIn { get; }

    /// <summary>Shared memory of a multiprocessor in bytes.</summary>
    public int SharedMemoryPerMultiprocessor { get; }

    /// <summary>Second-level cache in bytes.</summary>
    public int L2Bytes { get; }

    /// <summary>Memory in bytes.</summary>
    public long TotalMemory { get; }

    /// <summary>GPUs that the process may see.</summary>
    /// <exception cref="CudaUnavailableException">There is no driver.</exception>
    public static int Count()
    {
        Driver driver = Driver.Api;
        CudaResult result = driver.Init(0);
        if (result == CudaResult.NoDevice)
        {
            return 0;
        }

        if (result != CudaResult.Success)
        {
            throw new CudaUnavailableException(
                $"The NVIDIA driver does not start: {Driver.ErrorName(result)} ({Driver.ErrorText(result)}); check that nvidia-smi works.");
        }

        int count;
        Driver.Check(driver.DeviceGetCount(&count), "cuDeviceGetCount");
        return count;
    }

    /// <summary>Makes the context the calling thread's.</summary>
    public void MakeCurrent()
    {
        if (_current != this)
        {
            ObjectDisposedException.ThrowIf(_context == 0, this);
            Check(_driver.ContextSetCurrent(_context), "cuCtxSetCurrent");
            _current = this;
        }
    }

    /// <summary>The same for giving things back: false when the context is gone, and with it what was to be given back.</summary>
    public bool TryMakeCurrent()
    {
        if (_current != this && _context != 0 && _driver.ContextSetCurrent(_context) == CudaResult.Success)
        {
            _current = this;
        }

        return _current == this && _context != 0;
    }

    /// <summary>Throws unless a call succeeded, and whatever it says once the context is lost.</summary>
    /// <param name="result">What the call returned.</param>
    /// <param name="operation">The call, a constant.</param>
    public void Check(CudaResult result, string operation)
    {
        if (result != CudaResult.Success || Volatile.Read(ref _lost) is not null)
        {
            throw CauseOf(new CudaException(operation, result));
        }
    }

    /// <summary>Memory of the GPU in bytes, and how much of it no process uses.</summary>
    public (long TotalBytes, long FreeBytes) ReadMemory()
    {
        MakeCurrent();
        nuint free;
        nuint total;
        Check(_driver.MemGetInfo(&free, &total), "cuMemGetInfo");
        return ((long)total, (long)free);
    }

    /// <summary>Waits for everything on the device.</summary>
    public void Synchronize()
    {
        MakeCurrent();
        Check(_driver.ContextSynchronize(), "cuCtxSynchronize");
    }

    /// <summary>Releases the context; what is still allocated in it goes with its last user.</summary>
    public void Dispose()
    {
        if (_context != 0)
        {
            if (_current == this)
            {
                _ = _driver.ContextSetCurrent(0);
                _current = null;
            }

            _context = 0;
            _ = _driver.DevicePrimaryContextRelease(_handle);
        }
    }

    /// <summary>
    /// What to throw for an error: the first one that destroyed the context, if one did. A new exception each time, since one that
    /// several threads throw would carry one thread's stack into another's.
    /// </summary>
    public CudaException CauseOf(CudaException error)
    {
        if (error.IsSticky)
        {
            Interlocked.CompareExchange(ref _lost, error, null);
        }

        CudaException? first = Volatile.Read(ref _lost);
        return first is null || first == error ? error : new CudaException(first.Operation, first.Result);
    }

    private string ReadName()
    {
        byte* name = stackalloc byte[256];
        Driver.Check(_driver.DeviceGetName(name, 256, _handle), "cuDeviceGetName");
        return Marshal.PtrToStringUTF8((nint)name) ?? "";
    }

    private int Attribute(DeviceAttribute attribute)
    {
        int value;
        Driver.Check(_driver.DeviceGetAttribute(&value, attribute, _handle), "cuDeviceGetAttribute");
        return value;
    }
}
