using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary>
/// The CUDA driver API (<c>libcuda.so.1</c>, <c>nvcuda.dll</c>): the entry points that this program uses, under the versioned names that
/// the libraries of CUDA 12.4 and 13 both export. Device pointers, contexts, streams, events, modules, functions and graphs are
/// <see cref="nint"/>. Loaded at first use; safe for several threads.
/// </summary>
internal sealed unsafe class Driver
{
    /// <summary>CUDA 12.4: the oldest driver that the program runs on.</summary>
    public const int OldestVersion = 12040;

    private static readonly Lazy<Driver> Loaded = new(() => DryDevice.IsOn ? new Driver(DryDevice.DriverExports) : Load());

    public readonly delegate* unmanaged<uint, CudaResult> Init;
    public readonly delegate* unmanaged<int*, CudaResult> DriverGetVersion;
    public readonly delegate* unmanaged<CudaResult, byte**, CudaResult> GetErrorName;
    public readonly delegate* unmanaged<CudaResult, byte**, CudaResult> GetErrorString;

    public readonly delegate* unmanaged<int*, CudaResult> DeviceGetCount;
    public readonly delegate* unmanaged<int*, int, CudaResult> DeviceGet;
    public readonly delegate* unmanaged<byte*, int, int, CudaResult> DeviceGetName;
    public readonly delegate* unmanaged<Guid*, int, CudaResult> DeviceGetUuid;
    public readonly delegate* unmanaged<int*, DeviceAttribute, int, CudaResult> DeviceGetAttribute;
    public readonly delegate* unmanaged<nuint*, int, CudaResult> DeviceTotalMem;
    public readonly delegate* unmanaged<int*, int, int, CudaResult> DeviceCanAccessPeer;
    public readonly delegate* unmanaged<nint*, int, CudaResult> DevicePrimaryContextRetain;
    public readonly delegate* unmanaged<int, CudaResult> DevicePrimaryContextRelease;

    public readonly delegate* unmanaged<nint, CudaResult> ContextSetCurrent;
    public readonly delegate* unmanaged<CudaResult> ContextSynchronize;

    public readonly delegate* unmanaged<nuint*, nuint*, CudaResult> MemGetInfo;
    public readonly delegate* unmanaged<nint*, nuint, CudaResult> MemAlloc;
    public readonly delegate* unmanaged<nint, CudaResult> MemFree;
    public readonly delegate* unmanaged<nint*, nuint, uint, CudaResult> MemHostAlloc;
    public readonly delegate* unmanaged<nint, CudaResult> MemFreeHost;
    public readonly delegate* unmanaged<nint, nuint, uint, CudaResult> MemHostRegister;
    public readonly delegate* unmanaged<nint, CudaResult> MemHostUnregister;

    public readonly delegate* unmanaged<nint, nint, nuint, nint, CudaResult> MemcpyHostToDeviceAsync;
    public readonly delegate* unmanaged<nint, nint, nuint, nint, CudaResult> MemcpyDeviceToHostAsync;
    public readonly delegate* unmanaged<nint, nint, nuint, nint, CudaResult> MemcpyDeviceToDeviceAsync;
    public readonly delegate* unmanaged<Copy2D*, nint, CudaResult> Memcpy2DAsync;
    public readonly delegate* unmanaged<nint, byte, nuint, nint, CudaResult> MemsetBytesAsync;

    public readonly delegate* unmanaged<nint*, uint, int, CudaResult> StreamCreateWithPriority;
    public readonly delegate* unmanaged<nint, CudaResult> StreamDestroy;
    public readonly delegate* unmanaged<nint, CudaResult> StreamSynchronize;
    public readonly delegate* unmanaged<nint, CudaResult> StreamQuery;
    public readonly delegate* unmanaged<nint, nint, uint, CudaResult> StreamWaitEvent;
    public readonly delegate* unmanaged<nint, CaptureMode, CudaResult> StreamBeginCapture;
    public readonly delegate* unmanaged<nint, nint*, CudaResult> StreamEndCapture;

    public readonly delegate* unmanaged<nint*, uint, CudaResult> EventCreate;
    public readonly delegate* unmanaged<nint, CudaResult> EventDestroy;
    public readonly delegate* unmanaged<nint, nint, CudaResult> EventRecord;
    public readonly delegate* unmanaged<nint, CudaResult> EventQuery;
    public readonly delegate* unmanaged<nint, CudaResult> EventSynchronize;
    public readonly delegate* unmanaged<float*, nint, nint, CudaResult> EventElapsedTime;

    public readonly delegate* unmanaged<nint*, void*, uint, int*, void**, CudaResult> ModuleLoadDataEx;
    public readonly delegate* unmanaged<nint, CudaResult> ModuleUnload;
    public readonly delegate* unmanaged<nint*, nint, byte*, CudaResult> ModuleGetFunction;
    public readonly delegate* unmanaged<int*, FunctionAttribute, nint, CudaResult> FuncGetAttribute;
    public readonly delegate* unmanaged<nint, FunctionAttribute, int, CudaResult> FuncSetAttribute;

    /// <summary>Function, parameter's index, its offset, its size; <see cref="CudaResult.InvalidValue"/> after the last.</summary>
    public readonly delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaResult> FuncGetParamInfo;
    public readonly delegate* unmanaged<int*, nint, int, nuint, CudaResult> OccupancyMaxActiveBlocks;
    public readonly delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaResult> LaunchKernelEx;

    public readonly delegate* unmanaged<nint*, nint, ulong, CudaResult> GraphInstantiate;
    public readonly delegate* unmanaged<nint, nint, CudaResult> GraphLaunch;
    public readonly delegate* unmanaged<nint, nint, CudaResult> GraphUpload;
    public readonly delegate* unmanaged<nint, CudaResult> GraphDestroy;
    public readonly delegate* unmanaged<nint, CudaResult> GraphExecDestroy;

    /// <summary>Map, type, rank, address, sizes, strides in bytes from the second dimension on, box, element strides, interleave, swizzle, L2 promotion, fill.</summary>
    public readonly delegate* unmanaged<TensorMap*, TensorMapType, uint, nint, ulong*, ulong*, uint*, uint*, int, TensorMapSwizzle, TensorMapPromotion, int, CudaResult> TensorMapEncodeTiled;

    private Driver(NativeExports exports)
    {
        DriverGetVersion = (delegate* unmanaged<int*, CudaResult>)exports["cuDriverGetVersion"];
        int version;
        CudaResult result = DriverGetVersion(&version);
        if (result != CudaResult.Success || version < OldestVersion)
        {
            throw new CudaUnavailableException(
                $"The NVIDIA driver ({exports.Path}) supports CUDA {version / 1000}.{version % 1000 / 10} and Sluice needs 12.4; {NativeLibraryNames.Driver.Fix}.");
        }

        Version = version;
        Init = (delegate* unmanaged<uint, CudaResult>)exports["cuInit"];
        GetErrorName = (delegate* unmanaged<CudaResult, byte**, CudaResult>)exports["cuGetErrorName"];
        GetErrorString = (delegate* unmanaged<CudaResult, byte**, CudaResult>)exports["cuGetErrorString"];

        DeviceGetCount = (delegate* unmanaged<int*, CudaResult>)exports["cuDeviceGetCount"];
        DeviceGet = (delegate* unmanaged<int*, int, CudaResult>)exports["cuDeviceGet"];
        DeviceGetName = (delegate* unmanaged<byte*, int, int, CudaResult>)exports["cuDeviceGetName"];
        DeviceGetUuid = (delegate* unmanaged<Guid*, int, CudaResult>)exports["cuDeviceGetUuid_v2"];
        DeviceGetAttribute = (delegate* unmanaged<int*, DeviceAttribute, int, CudaResult>)exports["cuDeviceGetAttribute"];
        DeviceTotalMem = (delegate* unmanaged<nuint*, int, CudaResult>)exports["cuDeviceTotalMem_v2"];
        DeviceCanAccessPeer = (delegate* unmanaged<int*, int, int, CudaResult>)exports["cuDeviceCanAccessPeer"];
        DevicePrimaryContextRetain = (delegate* unmanaged<nint*, int, CudaResult>)exports["cuDevicePrimaryCtxRetain"];
        DevicePrimaryContextRelease = (delegate* unmanaged<int, CudaResult>)exports["cuDevicePrimaryCtxRelease_v2"];

        ContextSetCurrent = (delegate* unmanaged<nint, CudaResult>)exports["cuCtxSetCurrent"];
        ContextSynchronize = (delegate* unmanaged<CudaResult>)exports["cuCtxSynchronize"];

        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, CudaResult>)exports["cuMemGetInfo_v2"];
        MemAlloc = (delegate* unmanaged<nint*, nuint, CudaResult>)exports["cuMemAlloc_v2"];
        MemFree = (delegate* unmanaged<nint, CudaResult>)exports["cuMemFree_v2"];
        MemHostAlloc = (delegate* unmanaged<nint*, nuint, uint, CudaResult>)exports["cuMemHostAlloc"];
        MemFreeHost = (delegate* unmanaged<nint, CudaResult>)exports["cuMemFreeHost"];
        MemHostRegister = (delegate* unmanaged<nint, nuint, uint, CudaResult>)exports["cuMemHostRegister_v2"];
        MemHostUnregister = (delegate* unmanaged<nint, CudaResult>)exports["cuMemHostUnregister"];

        MemcpyHostToDeviceAsync = (delegate* unmanaged<nint, nint, nuint, nint, CudaResult>)exports["cuMemcpyHtoDAsync_v2"];
        MemcpyDeviceToHostAsync = (delegate* unmanaged<nint, nint, nuint, nint, CudaResult>)exports["cuMemcpyDtoHAsync_v2"];
        MemcpyDeviceToDeviceAsync = (delegate* unmanaged<nint, nint, nuint, nint, CudaResult>)exports["cuMemcpyDtoDAsync_v2"];
        Memcpy2DAsync = (delegate* unmanaged<Copy2D*, nint, CudaResult>)exports["cuMemcpy2DAsync_v2"];
        MemsetBytesAsync = (delegate* unmanaged<nint, byte, nuint, nint, CudaResult>)exports["cuMemsetD8Async"];

        StreamCreateWithPriority = (delegate* unmanaged<nint*, uint, int, CudaResult>)exports["cuStreamCreateWithPriority"];
        StreamDestroy = (delegate* unmanaged<nint, CudaResult>)exports["cuStreamDestroy_v2"];
        StreamSynchronize = (delegate* unmanaged<nint, CudaResult>)exports["cuStreamSynchronize"];
        StreamQuery = (delegate* unmanaged<nint, CudaResult>)exports["cuStreamQuery"];
        StreamWaitEvent = (delegate* unmanaged<nint, nint, uint, CudaResult>)exports["cuStreamWaitEvent"];
        StreamBeginCapture = (delegate* unmanaged<nint, CaptureMode, CudaResult>)exports["cuStreamBeginCapture_v2"];
        StreamEndCapture = (delegate* unmanaged<nint, nint*, CudaResult>)exports["cuStreamEndCapture"];

        EventCreate = (delegate* unmanaged<nint*, uint, CudaResult>)exports["cuEventCreate"];
        EventDestroy = (delegate* unmanaged<nint, CudaResult>)exports["cuEventDestroy_v2"];
        EventRecord = (delegate* unmanaged<nint, nint, CudaResult>)exports["cuEventRecord"];
        EventQuery = (delegate* unmanaged<nint, CudaResult>)exports["cuEventQuery"];
        EventSynchronize = (delegate* unmanaged<nint, CudaResult>)exports["cuEventSynchronize"];
        EventElapsedTime = (delegate* unmanaged<float*, nint, nint, CudaResult>)exports["cuEventElapsedTime"];

        ModuleLoadDataEx = (delegate* unmanaged<nint*, void*, uint, int*, void**, CudaResult>)exports["cuModuleLoadDataEx"];
        ModuleUnload = (delegate* unmanaged<nint, CudaResult>)exports["cuModuleUnload"];
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, CudaResult>)exports["cuModuleGetFunction"];
        FuncGetAttribute = (delegate* unmanaged<int*, FunctionAttribute, nint, CudaResult>)exports["cuFuncGetAttribute"];
        FuncSetAttribute = (delegate* unmanaged<nint, FunctionAttribute, int, CudaResult>)exports["cuFuncSetAttribute"];
        FuncGetParamInfo = (delegate* unmanaged<nint, nuint, nuint*, nuint*, CudaResult>)exports["cuFuncGetParamInfo"];
        OccupancyMaxActiveBlocks = (delegate* unmanaged<int*, nint, int, nuint, CudaResult>)exports["cuOccupancyMaxActiveBlocksPerMultiprocessor"];
        LaunchKernelEx = (delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaResult>)exports["cuLaunchKernelEx"];

        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, CudaResult>)exports["cuGraphInstantiateWithFlags"];
        GraphLaunch = (delegate* unmanaged<nint, nint, CudaResult>)exports["cuGraphLaunch"];
        GraphUpload = (delegate* unmanaged<nint, nint, CudaResult>)exports["cuGraphUpload"];
        GraphDestroy = (delegate* unmanaged<nint, CudaResult>)exports["cuGraphDestroy"];
        GraphExecDestroy = (delegate* unmanaged<nint, CudaResult>)exports["cuGraphExecDestroy"];
        TensorMapEncodeTiled = (delegate* unmanaged<TensorMap*, TensorMapType, uint, nint, ulong*, ulong*, uint*, uint*, int, TensorMapSwizzle, TensorMapPromotion, int, CudaResult>)exports["cuTensorMapEncodeTiled"];
    }

    /// <summary>The machine's own driver, whatever <see cref="Api"/> is.</summary>
    /// <exception cref="CudaUnavailableException">The library is missing or too old.</exception>
    public static Driver Load() => new(NativeLibraryLocator.Default.Load(NativeLibraryNames.Driver));

    /// <summary>The loaded driver. <c>cuInit</c> is the first caller's business.</summary>
    /// <exception cref="CudaUnavailableException">The library is missing or too old.</exception>
    public static Driver Api => Loaded.Value;

    /// <summary>Newest CUDA version of the driver: 12040 is 12.4.</summary>
    public int Version { get; }

    /// <summary>Throws when a call failed.</summary>
    /// <param name="result">What the call returned.</param>
    /// <param name="operation">The call and what it was for; a constant, so that checking costs nothing.</param>
    public static void Check(CudaResult result, string operation)
    {
        if (result != CudaResult.Success)
        {
            throw new CudaException(operation, result);
        }
    }

    /// <summary>The driver's name of a result, such as <c>CUDA_ERROR_OUT_OF_MEMORY</c>.</summary>
    public static string ErrorName(CudaResult result)
    {
        byte* text;
        return Api.GetErrorName(result, &text) == CudaResult.Success ? Marshal.PtrToStringUTF8((nint)text)! : $"CUresult {(int)result}";
    }

    /// <summary>The driver's sentence about a result.</summary>
    public static string ErrorText(CudaResult result)
    {
        byte* text;
        return Api.GetErrorString(result, &text) == CudaResult.Success ? Marshal.PtrToStringUTF8((nint)text)! : "unknown error";
    }
}
