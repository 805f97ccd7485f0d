using System.Runtime.InteropServices;

namespace Sluice.Compute.Cpu;

/// <summary>
/// Working memory of operations: buffers that all threads share and one for each thread. Buffers only grow, so that
/// nothing is allocated in steady state. Owned by the backend; grown only by the owner's thread between jobs. Contents
/// do not survive an operation.
/// </summary>
internal sealed unsafe class ScratchMemory(int threads) : IDisposable
{
    private const nuint Alignment = 64;

    // Native, so that jobs, which hold no references, can look their buffer up.
    private readonly nint* _threadBuffers = (nint*)NativeMemory.AllocZeroed((nuint)threads, (nuint)sizeof(nint));
    private nuint _threadBytes;
    private nint _shared;
    private nuint _sharedBytes;
    private nint _outer;
    private nuint _outerBytes;

    /// <summary>At least <paramref name="sizeBytes"/> that all threads see.</summary>
    public void* Shared(long sizeBytes)
    {
        if ((nuint)sizeBytes > _sharedBytes)
        {
            NativeMemory.AlignedFree((void*)_shared);
            _shared = 0;
            _sharedBytes = Grown(sizeBytes);
            _shared = (nint)NativeMemory.AlignedAlloc(_sharedBytes, Alignment);
        }

        return (void*)_shared;
    }

    /// <summary>
    /// As <see cref="Shared"/>, but other memory: for an operation that calls others, which use the shared buffer meanwhile.
    /// </summary>
    public void* Outer(long sizeBytes)
    {
        if ((nuint)sizeBytes > _outerBytes)
        {
            NativeMemory.AlignedFree((void*)_outer);
            _outer = 0;
            _outerBytes = Grown(sizeBytes);
            _outer = (nint)NativeMemory.AlignedAlloc(_outerBytes, Alignment);
        }

        return (void*)_outer;
    }

    /// <summary>Makes every thread's own buffer at least this large.</summary>
    public void EnsureThreadBytes(long sizeBytes)
    {
        if ((nuint)sizeBytes <= _threadBytes)
        {
            return;
        }

        _threadBytes = Grown(sizeBytes);
        for (int i = 0; i < threads; i++)
        {
            NativeMemory.AlignedFree((void*)_threadBuffers[i]);
            _threadBuffers[i] = 0;
            _threadBuffers[i] = (nint)NativeMemory.AlignedAlloc(_threadBytes, Alignment);
        }
    }

    /// <summary>Address of each thread's buffer.</summary>
    public nint* ThreadBuffers => _threadBuffers;

    public void Dispose()
    {
        NativeMemory.AlignedFree((void*)_shared);
        _shared = 0;
        _sharedBytes = 0;
        NativeMemory.AlignedFree((void*)_outer);
        _outer = 0;
        _outerBytes = 0;
        for (int i = 0; i < threads; i++)
        {
            NativeMemory.AlignedFree((void*)_threadBuffers[i]);
        }

        NativeMemory.Free(_threadBuffers);
    }

    private static nuint Grown(long sizeBytes) => ((nuint)sizeBytes + 0xFFFF) & ~(nuint)0xFFFF;
}
