using System.Runtime.InteropServices;

namespace Sluice.Compute.Cpu;

/// <summary>
/// Zeroed native memory, aligned to 64 bytes at least, tracked so that what was not freed is freed on disposal.
/// On Linux, large requests are anonymous mappings aligned to 2 MiB: the kernel zeroes their pages on first touch (a large
/// cache costs nothing until used) and is asked for huge pages. Safe for several threads.
/// </summary>
internal sealed unsafe partial class CpuMemory : IDisposable
{
    private const nuint Alignment = 64;
    private const long HugePageBytes = 2 << 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<nint, Block> _blocks = [];

    private readonly record struct Block(nint MappingAddress, long MappingBytes);

    public nint Allocate(long sizeBytes, string purpose)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        sizeBytes = Math.Max(sizeBytes, (long)Alignment);
        long totalBytes = SystemMemory.Read().TotalBytes;
        if (sizeBytes > totalBytes)
        {
            throw Failure(sizeBytes, purpose, $"the machine (or its container) has {Gibibytes(totalBytes)}");
        }

        Block block = default;
        nint address = sizeBytes >= HugePageBytes && OperatingSystem.IsLinux() ? Map(sizeBytes, purpose, out block) : AllocateHeap(sizeBytes, purpose);
        lock (_lock)
        {
            _blocks.Add(address, block);
        }

        return address;
    }

    public void Free(nint address)
    {
        Block block;
        lock (_lock)
        {
            if (!_blocks.Remove(address, out block))
            {
                throw new ArgumentException("The memory does not belong to this backend, or was freed before.", nameof(address));
            }
        }

        Release(address, block);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            foreach ((nint address, Block block) in _blocks)
            {
                Release(address, block);
            }

            _blocks.Clear();
        }
    }

    private static nint AllocateHeap(long sizeBytes, string purpose)
    {
        try
        {
            void* memory = NativeMemory.AlignedAlloc(checked((nuint)sizeBytes), Alignment);
            NativeMemory.Clear(memory, (nuint)sizeBytes);
            return (nint)memory;
        }
        catch (OutOfMemoryException)
        {
            throw Failure(sizeBytes, purpose, "the operating system refused");
        }
    }

    private static nint Map(long sizeBytes, string purpose, out Block block)
    {
        long mappingBytes = sizeBytes + HugePageBytes;
        nint mapping = MapMemory(0, (nuint)mappingBytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (mapping == -1)
        {
            throw Failure(sizeBytes, purpose, "the operating system refused");
        }

        block = new Block(mapping, mappingBytes);
        nint address = (nint)((mapping + HugePageBytes - 1) & -HugePageBytes);

        // Only advice: a kernel without transparent huge pages is fine.
        _ = AdviseMemory(address, (nuint)sizeBytes, AdviceHugePage);
        return address;
    }

    private static void Release(nint address, Block block)
    {
        if (block.MappingBytes > 0)
        {
            _ = UnmapMemory(block.MappingAddress, (nuint)block.MappingBytes);
        }
        else
        {
            NativeMemory.AlignedFree((void*)address);
        }
    }

    private static InsufficientMemoryException Failure(long sizeBytes, string purpose, string reason)
        => new($"Cannot allocate {Gibibytes(sizeBytes)} of memory for {purpose}: {reason}.");

    private static string Gibibytes(long bytes) => $"{bytes / (double)(1L << 30):0.00} GiB";

    private const int ReadWrite = 0x3;
    private const int PrivateAnonymous = 0x22;
    private const int AdviceHugePage = 14;

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MapMemory(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int UnmapMemory(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int AdviseMemory(nint address, nuint length, int advice);
}
