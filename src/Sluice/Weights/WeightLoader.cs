using System.Runtime.ExceptionServices;
using Sluice.Compute;

namespace Sluice.Weights;

/// <summary>
/// Moves tensors of a checkpoint into weights: several threads, each with one buffer of a few megabytes that the device copies from by
/// itself, so that no weight is ever whole in host memory. Created for one model and used by the thread that loads it.
/// </summary>
internal sealed class WeightLoader(IBackend backend, ICheckpoint checkpoint)
{
    private const int ChunkBytes = 4 << 20;
    private const int MaxThreads = 16;

    // Backends lay weights out in panels of rows; whole panels are stored faster, and by one thread.
    private const int RowMultiple = 64;

    private readonly List<Part> _parts = [];
    private readonly Lock _progressLock = new();
    private long _loadedBytes;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Notes that a tensor fills <paramref name="rowCount"/> rows of a weight from <paramref name="firstRow"/> on.</summary>
    public void Add(CheckpointTensor tensor, Weight target, int firstRow, int rowCount) =>
        _parts.Add(new Part(tensor, target, firstRow, rowCount));

    /// <summary>Reads all that was added. The first failure stops the rest and is thrown.</summary>
    public void Load(IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        // In the order of the files: readers move through each file together, and read-ahead works.
        _parts.Sort(static (a, b) =>
        {
            int byFile = string.CompareOrdinal(a.Tensor.File, b.Tensor.File);
            return byFile != 0 ? byFile : a.Tensor.Position.CompareTo(b.Tensor.Position);
        });
        List<Chunk> chunks = SplitIntoChunks(out int largestBytes);
        long totalBytes = _parts.Sum(static part => part.Tensor.SizeBytes);
        int next = -1;
        var threads = new Thread[Math.Clamp(Environment.ProcessorCount, 1, Math.Min(MaxThreads, Math.Max(1, chunks.Count)))];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(() => LoadChunks(chunks, ref next, largestBytes, totalBytes, progress, cancellation))
            {
                Name = $"weights {i}",
                IsBackground = true,
            };
            threads[i].Start();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        _failure?.Throw();
        cancellation.ThrowIfCancellationRequested();
    }

    private List<Chunk> SplitIntoChunks(out int largestBytes)
    {
        var chunks = new List<Chunk>();
        largestBytes = 0;
        foreach (Part part in _parts)
        {
            int rowBytes = part.RowBytes;
            int rowsAtOnce = Math.Max(1, ChunkBytes / rowBytes);
            rowsAtOnce = rowsAtOnce > RowMultiple ? rowsAtOnce - (rowsAtOnce % RowMultiple) : rowsAtOnce;
            for (int row = 0; row < part.RowCount; row += rowsAtOnce)
            {
                int rows = Math.Min(rowsAtOnce, part.RowCount - row);
                chunks.Add(new Chunk(part, row, rows));
                largestBytes = Math.Max(largestBytes, rows * rowBytes);
            }
        }

        return chunks;
    }

    private void LoadChunks(
        List<Chunk> chunks,
        ref int next,
        int bufferBytes,
        long totalBytes,
        IProgress<LoadProgress>? progress,
        CancellationToken cancellation)
    {
        try
        {
            using HostBuffer buffer = backend.AllocateHost(bufferBytes);
            while (_failure is null && !cancellation.IsCancellationRequested)
            {
                int index = Interlocked.Increment(ref next);
                if (index >= chunks.Count)
                {
                    return;
                }

                (Part part, int row, int rows) = chunks[index];
                Span<byte> bytes = buffer.Span<byte>(0, rows * part.RowBytes);
                checkpoint.Read(part.Tensor, (long)row * part.RowBytes, bytes);
                Upload(part, row, bytes);
                Report(bytes.Length, totalBytes, part.Tensor.File, progress);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    private void Upload(in Part part, int row, ReadOnlySpan<byte> bytes)
    {
        try
        {
            backend.UploadRows(part.Target, part.FirstRow + row, bytes, part.Tensor.Type);
        }
        catch (InvalidDataException e)
        {
            // A value that the type of the weight cannot hold.
            throw new UserErrorException($"{part.Tensor.File}: tensor {part.Tensor.Name}: {e.Message}");
        }
    }

    private void Report(int bytes, long totalBytes, string file, IProgress<LoadProgress>? progress)
    {
        lock (_progressLock)
        {
            _loadedBytes += bytes;
            progress?.Report(new LoadProgress(_loadedBytes, totalBytes, file));
        }
    }

    private readonly record struct Part(CheckpointTensor Tensor, Weight Target, int FirstRow, int RowCount)
    {
        public int RowBytes => checked(Target.Columns * Tensor.Type.SizeBytes());
    }

    private readonly record struct Chunk(Part Part, int Row, int Rows);
}
