using System.Runtime.InteropServices;

namespace Sluice.Compute.Cpu;

/// <summary>Aligned native memory: the processor reaches all of it alike.</summary>
internal sealed unsafe class CpuHostBuffer(long sizeBytes) : HostBuffer(AllocateZeroed(sizeBytes), sizeBytes)
{
    private const nuint Alignment = 64;

    private protected override void Release(nint address) => NativeMemory.AlignedFree((void*)address);

    private static nint AllocateZeroed(long sizeBytes)
    {
        nuint bytes = checked((nuint)Math.Max(1, sizeBytes));
        void* memory = NativeMemory.AlignedAlloc(bytes, Alignment);
        NativeMemory.Clear(memory, bytes);
        return (nint)memory;
    }
}
