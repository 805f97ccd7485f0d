namespace Sluice.Compute;

/// <summary>
/// Host memory that one step's small arrays are copied to the device from, without waiting. It is filled from the front, and
/// from the front again once the copies are done: two steps in flight need two of these. What finds no room goes through
/// <see cref="IBackend.Upload{T}"/>.
/// </summary>
/// <param name="backend">Where the copies go.</param>
/// <param name="sizeBytes">Room.</param>
internal sealed unsafe class UploadStaging(IBackend backend, long sizeBytes) : IDisposable
{
    // Copy engines like whole sectors.
    private const long AlignmentBytes = 64;

    private readonly HostBuffer _buffer = backend.AllocateHost(sizeBytes);
    private long _usedBytes;

    /// <summary>Forgets what was copied: a fence recorded after the last copy was reached.</summary>
    public void Reset() => _usedBytes = 0;

    /// <summary>Copies an array into a contiguous tensor, in order with the operations. The span may be reused on return.</summary>
    public void Upload<T>(Tensor destination, ReadOnlySpan<T> source)
        where T : unmanaged
    {
        if (!HasRoom((long)source.Length * sizeof(T)))
        {
            backend.Upload(destination, source);
            return;
        }

        source.CopyTo(Reserve<T>(source.Length, out long offsetBytes));
        Send(destination, offsetBytes);
    }

    /// <summary>Room to write to before <see cref="Send"/>; holds what an earlier step left in it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such room.</exception>
    public Span<T> Reserve<T>(int count, out long offsetBytes)
        where T : unmanaged
    {
        offsetBytes = _usedBytes;
        Span<T> room = _buffer.Span<T>(offsetBytes, count);
        _usedBytes += ((((long)count * sizeof(T)) + AlignmentBytes - 1) / AlignmentBytes) * AlignmentBytes;
        return room;
    }

    /// <summary>Copies what was written at an offset into a tensor, whose rows may be strided.</summary>
    public void Send(Tensor destination, long offsetBytes) => backend.UploadAsync(destination, _buffer, offsetBytes);

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private bool HasRoom(long bytes) => _usedBytes + bytes <= _buffer.SizeBytes;
}
