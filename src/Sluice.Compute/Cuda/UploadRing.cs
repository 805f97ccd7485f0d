namespace Sluice.Compute.Cuda;

/// <summary>
/// Pinned memory through which the small data of every step passes on its way to the device. Bytes stay until their copy is done: the
/// ring is cut into segments, a segment is left behind with a mark in the stream, and is entered again only when that is reached.
/// With a few megabytes in it, that was long ago: nobody waits. Used by the thread that owns the backend.
/// </summary>
internal sealed unsafe class UploadRing : IDisposable
{
    public const int SegmentBytes = 4 << 20;

    private const int SegmentCount = 4;
    private const int Alignment = 64;

    private readonly CudaStream _stream;
    private readonly PinnedMemory _memory;
    private readonly CudaEvent[] _left = new CudaEvent[SegmentCount];
    private int _segment;
    private int _usedBytes;

    public UploadRing(CudaDevice device, CudaStream stream)
    {
        _stream = stream;
        _memory = new PinnedMemory(device, (long)SegmentBytes * SegmentCount, "uploads");
        for (int i = 0; i < SegmentCount; i++)
        {
            _left[i] = new CudaEvent(device, stream);
        }
    }

    /// <summary>Enqueues a copy; the span may change when this returns.</summary>
    public void Upload(nint destination, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            if (_usedBytes == SegmentBytes || (source.Length > SegmentBytes - _usedBytes && source.Length <= SegmentBytes))
            {
                NextSegment();
            }

            int bytes = Math.Min(source.Length, SegmentBytes - _usedBytes);
            int offset = (_segment * SegmentBytes) + _usedBytes;
            source[..bytes].CopyTo(_memory.Span<byte>(offset, bytes));
            _stream.CopyToDevice(destination, _memory.Address + offset, bytes);
            _usedBytes = Math.Min(SegmentBytes, (_usedBytes + bytes + Alignment - 1) & -Alignment);
            destination += bytes;
            source = source[bytes..];
        }
    }

    public void Dispose()
    {
        foreach (CudaEvent left in _left)
        {
            left.Dispose();
        }

        _memory.Dispose();
    }

    private void NextSegment()
    {
        _left[_segment].Record();
        _segment = (_segment + 1) % SegmentCount;
        _usedBytes = 0;
        _left[_segment].Wait();
    }
}
