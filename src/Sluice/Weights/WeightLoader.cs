using System.Runtime.ExceptionServices;
using Sluice.Compute;
using Sluice.Weights.Quantization;

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

    private readonly List<WeightTask> _tasks = [];
    private readonly Lock _progressLock = new();
    private long _loadedBytes;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Notes that a tensor fills <paramref name="rowCount"/> rows of a weight from <paramref name="firstRow"/> on.</summary>
    public void Add(CheckpointTensor tensor, Weight target, int firstRow, int rowCount, ScaleTensor? scales = null)
    {
        int rowBytes = checked(target.Columns * tensor.Type.SizeBytes());
        int rowsAtOnce = RowsAtOnce(rowBytes);
        for (int row = 0; row < rowCount; row += rowsAtOnce)
        {
            int rows = Math.Min(rowsAtOnce, rowCount - row);
            _tasks.Add(new RowsTask(tensor, row, rows, rowBytes, target, firstRow + row, scales));
        }
    }

    /// <summary>Notes a task of another kind.</summary>
    public void Add(WeightTask task) => _tasks.Add(task);

    /// <summary>Rows of a matrix that one task should read.</summary>
    public static int RowsAtOnce(int rowBytes)
    {
        int rows = Math.Max(1, ChunkBytes / rowBytes);
        return rows > RowMultiple ? rows - (rows % RowMultiple) : rows;
    }

    /// <summary>Reads all that was added. The first failure stops the rest and is thrown.</summary>
    public void Load(IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        // In the order of the files: readers move through each file together, and read-ahead works.
        _tasks.Sort(static (a, b) =>
        {
            int byFile = string.CompareOrdinal(a.Tensor.File, b.Tensor.File);
            return byFile != 0 ? byFile : (a.Tensor.Position + a.OffsetBytes).CompareTo(b.Tensor.Position + b.OffsetBytes);
        });
        long totalBytes = _tasks.Sum(static task => (long)task.SizeBytes);
        int largestBytes = _tasks.Count == 0 ? 0 : _tasks.Max(static task => task.BufferBytes);
        int next = -1;
        var threads = new Thread[Math.Clamp(Environment.ProcessorCount, 1, Math.Min(MaxThreads, Math.Max(1, _tasks.Count)))];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(() => RunTasks(ref next, largestBytes, totalBytes, progress, cancellation))
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

    private void RunTasks(
        ref int next, int bufferBytes, long totalBytes, IProgress<LoadProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            using HostBuffer buffer = backend.AllocateHost(bufferBytes);
            while (_failure is null && !cancellation.IsCancellationRequested)
            {
                int index = Interlocked.Increment(ref next);
                if (index >= _tasks.Count)
                {
                    return;
                }

                WeightTask task = _tasks[index];
                Run(task, buffer.Span<byte>(0, task.BufferBytes));
                Report(task.SizeBytes, totalBytes, task.Tensor.File, progress);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    private void Run(WeightTask task, Span<byte> buffer)
    {
        try
        {
            task.Run(backend, checkpoint, buffer);
        }
        catch (InvalidDataException e)
        {
            // A value that the type of the weight cannot hold.
            throw new UserErrorException($"{task.Tensor.File}: tensor {task.Tensor.Name}: {e.Message}");
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
}
