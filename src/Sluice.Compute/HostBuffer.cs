namespace Sluice.Compute;

/// <summary>
/// Zeroed host memory from <see cref="IBackend.AllocateHost"/>. Rows of a weight that lie in it reach the device without another
/// copy on the host.
/// </summary>
public abstract unsafe class HostBuffer : IDisposable
{
    private protected HostBuffer(nint address, long sizeBytes)
    {
        Address = address;
        SizeBytes = sizeBytes;
    }

    /// <summary>First byte, aligned to 64 bytes at least; 0 after <see cref="Dispose"/>.</summary>
    public nint Address { get; private set; }

    /// <summary>Size in bytes.</summary>
    public long SizeBytes { get; }

    /// <summary>A part of the memory.</summary>
    /// <param name="offsetBytes">Where it begins; a multiple of the element's size.</param>
    /// <param name="count">Elements.</param>
    public Span<T> Span<T>(long offsetBytes, int count)
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(Address == 0, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offsetBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offsetBytes + ((long)count * sizeof(T)), SizeBytes, nameof(count));
        return new Span<T>((void*)(Address + (nint)offsetBytes), count);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (Address != 0)
        {
            Release(Address);
            Address = 0;
        }

        GC.SuppressFinalize(this);
    }

    private protected abstract void Release(nint address);
}
