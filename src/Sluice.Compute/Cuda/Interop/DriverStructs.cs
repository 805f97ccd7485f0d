using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sluice.Compute.Cuda.Interop;

/// <summary><c>CUlaunchConfig</c>: grid, block, shared memory, stream and attributes of a launch.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    public uint GridX;
    public uint GridY;
    public uint GridZ;
    public uint BlockX;
    public uint BlockY;
    public uint BlockZ;
    public uint SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint AttributeCount;
}

/// <summary><c>CUlaunchAttribute</c>: a name and 64 bytes whose meaning the name decides.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    [FieldOffset(0)]
    public LaunchAttributeId Id;

    /// <summary>Cluster size, or 1 in <see cref="X"/> for a switch that is on.</summary>
    [FieldOffset(8)]
    public uint X;

    [FieldOffset(12)]
    public uint Y;

    [FieldOffset(16)]
    public uint Z;
}

/// <summary>
/// <c>CUtensorMap</c>: 128 opaque bytes that the driver encodes and a kernel takes as a parameter. As the first field of an argument
/// struct it keeps the 64-byte alignment that the parameter has on the device.
/// </summary>
[InlineArray(16)]
[StructLayout(LayoutKind.Sequential)]
internal struct TensorMap
{
    private ulong _words;
}

/// <summary>Element types of a tensor map (<c>CUtensorMapDataType</c>).</summary>
internal enum TensorMapType
{
    UInt8 = 0,
    Float16 = 6,
    Float32 = 7,
    BFloat16 = 9,
}

/// <summary>How a tensor map's tile is laid out in shared memory, against bank conflicts (<c>CUtensorMapSwizzle</c>).</summary>
internal enum TensorMapSwizzle
{
    None = 0,
    Bytes32 = 1,
    Bytes64 = 2,
    Bytes128 = 3,
}

/// <summary>What the L2 cache fetches around a tile (<c>CUtensorMapL2promotion</c>).</summary>
internal enum TensorMapPromotion
{
    None = 0,
    Bytes64 = 1,
    Bytes128 = 2,
    Bytes256 = 3,
}

/// <summary><c>CUDA_MEMCPY2D</c>: rows of a pitched copy between host and device memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Copy2D
{
    public nuint SourceXBytes;
    public nuint SourceY;
    public MemoryType SourceType;
    public nint SourceHost;
    public nint SourceDevice;
    public nint SourceArray;
    public nuint SourcePitchBytes;
    public nuint DestinationXBytes;
    public nuint DestinationY;
    public MemoryType DestinationType;
    public nint DestinationHost;
    public nint DestinationDevice;
    public nint DestinationArray;
    public nuint DestinationPitchBytes;
    public nuint WidthBytes;
    public nuint Height;
}

/// <summary><c>CUmemorytype</c>.</summary>
internal enum MemoryType
{
    Host = 1,
    Device = 2,
}
