using System.Runtime.InteropServices;

namespace Sluice.Compute;

/// <summary>
/// One block of the cache and its place in host memory, for <see cref="IBackend.CopyBlocks"/>. The layout is the device's: four
/// 32-bit words, so an int32 tensor [copies, 4] holds one a row.
/// </summary>
/// <param name="Block">Block of the cache.</param>
/// <param name="HostAddress">
/// Where its bytes lie in a <see cref="HostBuffer"/>, aligned to 16: layer after layer, in each the keys before the values.
/// </param>
[StructLayout(LayoutKind.Sequential, Size = Words * 4)]
public readonly record struct BlockCopy(long Block, long HostAddress)
{
    /// <summary>Size in 32-bit words.</summary>
    public const int Words = 4;
}

/// <summary>Where a layer of the cache lies, for <see cref="IBackend.CopyBlocks"/>: four 32-bit words.</summary>
/// <param name="Keys"><see cref="KvLayer.Keys"/>.</param>
/// <param name="Values"><see cref="KvLayer.Values"/>.</param>
[StructLayout(LayoutKind.Sequential, Size = Words * 4)]
public readonly record struct LayerAddress(long Keys, long Values)
{
    /// <summary>Size in 32-bit words.</summary>
    public const int Words = 4;
}
