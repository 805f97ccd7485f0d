using System.Runtime.InteropServices;

namespace Sluice.Compute.Cpu;

/// <summary>Aligned native memory: the processor reaches all of it alike.</summary>
internal sealed unsafe class CpuHostBuffer(long sizeBytes) : HostBuffer((nint)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(1, sizeBytes)), Alignment), sizeBytes)
{
    private const nuint Alignment = 64;

    private protected override void Release(nint address) => NativeMemory.AlignedFree((void*)address);
}
