namespace Sluice.Compute.Cuda.Interop;

/// <summary>Results of the driver API that the program treats by name (<c>CUresult</c> in cuda.h).</summary>
internal enum CudaResult
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    EccUncorrectable = 214,
    PeerAccessUnsupported = 217,
    NvlinkUncorrectable = 220,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchTimeout = 702,
    PeerAccessAlreadyEnabled = 704,
    Assert = 710,
    HostMemoryAlreadyRegistered = 712,
    HostMemoryNotRegistered = 713,
    HardwareStackError = 714,
    IllegalInstruction = 715,
    MisalignedAddress = 716,
    InvalidAddressSpace = 717,
    InvalidProgramCounter = 718,
    LaunchFailed = 719,
    SystemNotReady = 802,
    SystemDriverMismatch = 803,
    Unknown = 999,
}

/// <summary>Properties of a device (<c>CUdevice_attribute</c>).</summary>
internal enum DeviceAttribute
{
    MaxSharedMemoryPerBlock = 8,
    WarpSize = 10,
    ClockRateKilohertz = 13,
    MultiprocessorCount = 16,
    Integrated = 18,
    MemoryClockRateKilohertz = 36,
    MemoryBusWidthBits = 37,
    L2CacheBytes = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerMultiprocessor = 81,
    MaxSharedMemoryPerBlockOptIn = 97,
}

/// <summary>Properties of a kernel (<c>CUfunction_attribute</c>).</summary>
internal enum FunctionAttribute
{
    MaxThreadsPerBlock = 0,
    StaticSharedBytes = 1,
    LocalBytes = 3,
    Registers = 4,
    BinaryVersion = 6,
    MaxDynamicSharedBytes = 8,
    PreferredSharedCarveoutPercent = 9,
    NonPortableClusterSizeAllowed = 14,
}

/// <summary>What a launch can be asked for besides its grid (<c>CUlaunchAttributeID</c>).</summary>
internal enum LaunchAttributeId
{
    ClusterDimension = 4,
    ProgrammaticStreamSerialization = 6,
}

/// <summary>Whose unsafe calls end a stream capture (<c>CUstreamCaptureMode</c>).</summary>
internal enum CaptureMode
{
    Global = 0,
    ThreadLocal = 1,
    Relaxed = 2,
}
