using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>
/// Stands for the driver and cuBLASLt on a machine without a GPU, so that <c>sluice warm</c> can walk through a model's start and see which
/// kernels it launches. Calls succeed and do nothing, device addresses are numbers that nothing reads, host memory is real and zero.
/// On for the whole process or not at all, chosen before the first call of either library.
/// </summary>
internal static unsafe class DryDevice
{
    private const long FirstAddress = 1 << 30;
    private const long AddressAlignment = 512;

    private static readonly nuint MemoryBytes = unchecked((nuint)(1L << 42));
    private static int _driverVersion = 13000;
    private static long _nextAddress = FirstAddress;
    private static long _nextHandle = 1;

    /// <summary>No call reaches a device.</summary>
    public static bool IsOn { get; private set; }

    /// <summary>Compute capability of the device that the next backend finds: 90 for 9.0.</summary>
    public static int ComputeCapability { get; set; } = 90;

    public static NativeExports DriverExports { get; } = new("no device", NativeLibraryNames.Driver, DriverFunction);

    public static NativeExports CublasLtExports { get; } = new("no device", NativeLibraryNames.CublasLt, CublasLtFunction);

    /// <summary>
    /// Turns it on for good. Answers with the machine's driver version where there is one, so that the NVRTC is chosen that the
    /// machine's own runs will choose.
    /// </summary>
    /// <returns>Compute capabilities of the machine's GPUs, each once, rising; empty when there are none.</returns>
    public static IReadOnlyList<int> TurnOn()
    {
        var chips = new SortedSet<int>();
        try
        {
            Driver driver = Driver.Load();
            _driverVersion = driver.Version;
            int count;
            if (driver.Init(0) == CudaResult.Success && driver.DeviceGetCount(&count) == CudaResult.Success)
            {
                for (int ordinal = 0; ordinal < count; ordinal++)
                {
                    int device, major, minor;
                    Driver.Check(driver.DeviceGet(&device, ordinal), "cuDeviceGet");
                    Driver.Check(driver.DeviceGetAttribute(&major, DeviceAttribute.ComputeCapabilityMajor, device), "cuDeviceGetAttribute");
                    Driver.Check(driver.DeviceGetAttribute(&minor, DeviceAttribute.ComputeCapabilityMinor, device), "cuDeviceGetAttribute");
                    chips.Add((10 * major) + minor);
                }
            }
        }
        catch (CudaUnavailableException)
        {
            // A machine that only builds an image: whoever asks names the chips.
        }

        IsOn = true;
        return [.. chips];
    }

    private static nint DriverFunction(string name) => name switch
    {
        "cuDriverGetVersion" => (nint)(delegate* unmanaged<int*, int>)&GetVersion,
        "cuGetErrorName" or "cuGetErrorString" => (nint)(delegate* unmanaged<int, byte**, int>)&GetNoText,
        "cuDeviceGetCount" or "cuOccupancyMaxActiveBlocksPerMultiprocessor" => (nint)(delegate* unmanaged<int*, int>)&GetOne,
        "cuDeviceGet" or "cuDeviceCanAccessPeer" or "cuFuncGetAttribute" => (nint)(delegate* unmanaged<int*, int>)&GetZero,
        "cuDeviceGetName" => (nint)(delegate* unmanaged<byte*, int, int, int>)&GetName,
        "cuDeviceGetUuid_v2" => (nint)(delegate* unmanaged<Guid*, int, int>)&GetUuid,
        "cuDeviceGetAttribute" => (nint)(delegate* unmanaged<int*, DeviceAttribute, int, int>)&GetAttribute,
        "cuDeviceTotalMem_v2" => (nint)(delegate* unmanaged<nuint*, int, int>)&GetTotalMemory,
        "cuMemGetInfo_v2" => (nint)(delegate* unmanaged<nuint*, nuint*, int>)&GetMemoryInfo,
        "cuMemAlloc_v2" => (nint)(delegate* unmanaged<nint*, nuint, int>)&Allocate,
        "cuMemHostAlloc" => (nint)(delegate* unmanaged<nint*, nuint, uint, int>)&AllocateHost,
        "cuMemFreeHost" => (nint)(delegate* unmanaged<nint, int>)&FreeHost,
        "cuDevicePrimaryCtxRetain" or "cuStreamCreateWithPriority" or "cuEventCreate" or "cuModuleLoadDataEx"
            or "cuModuleGetFunction" or "cuGraphInstantiateWithFlags" => (nint)(delegate* unmanaged<nint*, int>)&MakeHandle,
        "cuStreamEndCapture" => (nint)(delegate* unmanaged<nint, nint*, int>)&MakeSecondHandle,
        "cuEventElapsedTime" => (nint)(delegate* unmanaged<float*, nint, nint, int>)&GetTime,
        "cuFuncGetParamInfo" => (nint)(delegate* unmanaged<int>)&InvalidValue,
        _ => (nint)(delegate* unmanaged<int>)&Succeed,
    };

    private static nint CublasLtFunction(string name) => name switch
    {
        "cublasLtGetVersion" => (nint)(delegate* unmanaged<nuint>)&GetCublasLtVersion,
        "cublasLtGetStatusName" => (nint)(delegate* unmanaged<nint>)&GetNull,
        _ => (nint)(delegate* unmanaged<int>)&Succeed,
    };

    // Both calling conventions of 64-bit machines let the caller clean up, so a function may leave its later parameters unread.
    [UnmanagedCallersOnly]
    private static int Succeed() => 0;

    [UnmanagedCallersOnly]
    private static int InvalidValue() => (int)CudaResult.InvalidValue;

    [UnmanagedCallersOnly]
    private static nint GetNull() => 0;

    [UnmanagedCallersOnly]
    private static int GetVersion(int* version)
    {
        *version = _driverVersion;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static nuint GetCublasLtVersion() => 130000;

    [UnmanagedCallersOnly]
    private static int GetNoText(int result, byte** text)
    {
        *text = null;
        return (int)CudaResult.InvalidValue;
    }

    [UnmanagedCallersOnly]
    private static int GetOne(int* value)
    {
        *value = 1;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetZero(int* value)
    {
        *value = 0;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetName(byte* name, int length, int device)
    {
        "no device"u8.CopyTo(new Span<byte>(name, length));
        name["no device"u8.Length] = 0;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetUuid(Guid* uuid, int device)
    {
        *uuid = Guid.Empty;
        return 0;
    }

    // Multiprocessors, shared memory and cache as in A100, A10, L40S and H100.
    [UnmanagedCallersOnly]
    private static int GetAttribute(int* value, DeviceAttribute attribute, int device)
    {
        (int multiprocessors, int sharedKibibytes, int cacheMebibytes) = ComputeCapability switch
        {
            < 86 => (108, 164, 40),
            < 89 => (72, 100, 6),
            89 => (142, 100, 96),
            _ => (132, 228, 50),
        };
        *value = attribute switch
        {
            DeviceAttribute.ComputeCapabilityMajor => ComputeCapability / 10,
            DeviceAttribute.ComputeCapabilityMinor => ComputeCapability % 10,
            DeviceAttribute.MultiprocessorCount => multiprocessors,
            DeviceAttribute.MaxSharedMemoryPerMultiprocessor => sharedKibibytes << 10,
            DeviceAttribute.MaxSharedMemoryPerBlockOptIn => (sharedKibibytes - 1) << 10,
            DeviceAttribute.MaxSharedMemoryPerBlock => 48 << 10,
            DeviceAttribute.L2CacheBytes => cacheMebibytes << 20,
            DeviceAttribute.WarpSize => 32,
            _ => 0,
        };
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetTotalMemory(nuint* bytes, int device)
    {
        *bytes = MemoryBytes;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetMemoryInfo(nuint* free, nuint* total)
    {
        *free = MemoryBytes;
        *total = MemoryBytes;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Allocate(nint* address, nuint bytes)
    {
        long size = ((long)bytes + AddressAlignment - 1) & -AddressAlignment;
        *address = (nint)(Interlocked.Add(ref _nextAddress, size) - size);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int AllocateHost(nint* address, nuint bytes, uint flags)
    {
        *address = (nint)NativeMemory.AlignedAlloc(bytes, (nuint)AddressAlignment);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int FreeHost(nint address)
    {
        NativeMemory.AlignedFree((void*)address);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int MakeHandle(nint* handle)
    {
        *handle = (nint)Interlocked.Increment(ref _nextHandle);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int MakeSecondHandle(nint first, nint* handle)
    {
        *handle = (nint)Interlocked.Increment(ref _nextHandle);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int GetTime(float* milliseconds, nint start, nint end)
    {
        *milliseconds = 1;
        return 0;
    }
}
