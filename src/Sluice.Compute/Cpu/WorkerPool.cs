using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Sluice.Compute.Cpu;

/// <summary>Work that is split into independent parts. A struct without references, so that a dispatch allocates nothing.</summary>
internal interface IParallelJob
{
    /// <summary>Does part <paramref name="index"/>; <paramref name="thread"/> numbers the executing thread, 0 is the caller.</summary>
    void Execute(int index, int thread);
}

/// <summary>
/// Persistent threads that share the parts of one job at a time with the thread that starts it. Parts are claimed one by one
/// from a counter, so a thread that loses its core to a neighbour delays only the part it holds. The caller waits for
/// threads that claimed something and never for one that has not woken up yet. Threads spin for a bounded time, then park.
/// Created, used and disposed by one thread, the owner of the backend.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // Longer than the pauses between the operations of a decode step (about 20 us), shorter than a time slice of the scheduler.
    private static readonly long SpinTicks = Stopwatch.Frequency / 1_000_000 * 60;

    private readonly Worker[] _workers;
    private readonly Lock _parkLock = new();
    private readonly Worker?[] _parked;
    private readonly ManualResetEventSlim _callerSignal = new(false, 0);

    // The open job. Written by the caller while no job is open; read by a worker only between joining (_joined) and leaving.
    private delegate*<void*, int, int, void> _execute;
    private void* _job;
    private int _partCount;
    private ExceptionDispatchInfo? _failure;

    private volatile bool _disposed;
    private PaddedCounters _counters;

    /// <param name="threads">Threads in all, the caller included.</param>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _parked = new Worker?[threads - 1];
        _workers = new Worker[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Worker(this, i + 1);
        }

        foreach (Worker worker in _workers)
        {
            worker.Start();
        }
    }

    /// <summary>Threads in all, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Workers that wait without using the processor.</summary>
    public int ParkedThreads => Volatile.Read(ref _counters.ParkedCount);

    /// <summary>Runs parts 0 to <paramref name="partCount"/> - 1, in any order, and returns when all are done.</summary>
    /// <exception cref="Exception">The first exception of a part; the rest of the job is then skipped.</exception>
    public void Run<TJob>(ref TJob job, int partCount)
        where TJob : unmanaged, IParallelJob
    {
        if (partCount <= 1 || _workers.Length == 0)
        {
            for (int i = 0; i < partCount; i++)
            {
                job.Execute(i, 0);
            }

            return;
        }

        _job = Unsafe.AsPointer(ref job);
        _execute = &Invoke<TJob>;
        _partCount = partCount;
        Volatile.Write(ref _counters.NextPart, 0);
        Volatile.Write(ref _counters.Open, 1);

        // A full fence: a worker either sees the new number before it parks, or is counted as parked here.
        Interlocked.Increment(ref _counters.JobNumber);
        Wake(Math.Min(2, partCount - 1));
        try
        {
            ClaimParts(0);
        }
        finally
        {
            Close();
        }

        if (_failure is { } failure)
        {
            _failure = null;
            failure.Throw();
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Interlocked.Increment(ref _counters.JobNumber);
        Wake(_workers.Length);
        foreach (Worker worker in _workers)
        {
            worker.Dispose();
        }

        _callerSignal.Dispose();
    }

    private static void Invoke<TJob>(void* job, int index, int thread)
        where TJob : unmanaged, IParallelJob
        => ((TJob*)job)->Execute(index, thread);

    private void ClaimParts(int thread)
    {
        int count = _partCount;
        while (true)
        {
            int index = Interlocked.Increment(ref _counters.NextPart) - 1;
            if (index >= count)
            {
                return;
            }

            try
            {
                _execute(_job, index, thread);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
                Volatile.Write(ref _counters.NextPart, count);
            }
        }
    }

    /// <summary>
    /// No thread can join after this, and none that joined is left. Joining increments <c>Joined</c> and then reads <c>Open</c>;
    /// closing writes <c>Open</c> and then reads <c>Joined</c>, both with full fences, so one of the two sees the other.
    /// </summary>
    private void Close()
    {
        Interlocked.Exchange(ref _counters.Open, 0);
        long limit = 0;
        while (Volatile.Read(ref _counters.Joined) != 0)
        {
            if (limit == 0)
            {
                limit = Stopwatch.GetTimestamp() + SpinTicks;
            }

            if (Stopwatch.GetTimestamp() < limit)
            {
                Thread.SpinWait(8);
                continue;
            }

            // The straggler may need this very core: give it up until the last one leaves.
            _callerSignal.Reset();
            Interlocked.Exchange(ref _counters.CallerWaits, 1);
            if (Volatile.Read(ref _counters.Joined) != 0)
            {
                _callerSignal.Wait();
            }

            Interlocked.Exchange(ref _counters.CallerWaits, 0);
        }
    }

    private void Wake(int count)
    {
        for (; count > 0 && Volatile.Read(ref _counters.ParkedCount) > 0; count--)
        {
            Worker? worker = null;
            lock (_parkLock)
            {
                if (_counters.ParkedCount > 0)
                {
                    worker = _parked[--_counters.ParkedCount];
                    _parked[_counters.ParkedCount] = null;
                }
            }

            worker?.Signal();
        }
    }

    /// <summary>Counters that different threads write, each on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 448)]
    private struct PaddedCounters
    {
        [FieldOffset(64)]
        public int NextPart;

        [FieldOffset(128)]
        public int JobNumber;

        [FieldOffset(192)]
        public int Open;

        [FieldOffset(256)]
        public int Joined;

        [FieldOffset(320)]
        public int ParkedCount;

        [FieldOffset(384)]
        public int CallerWaits;
    }

    private sealed class Worker : IDisposable
    {
        private readonly WorkerPool _pool;
        private readonly int _index;
        private readonly Thread _thread;
        private readonly SemaphoreSlim _semaphore = new(0);

        public Worker(WorkerPool pool, int index)
        {
            _pool = pool;
            _index = index;
            _thread = new Thread(Loop) { IsBackground = true, Name = $"sluice-compute-{index}" };
        }

        public void Start() => _thread.Start();

        public void Signal() => _semaphore.Release();

        public void Dispose()
        {
            _thread.Join();
            _semaphore.Dispose();
        }

        private void Loop()
        {
            int seen = 0;
            while (true)
            {
                seen = WaitForJob(seen);
                if (_pool._disposed)
                {
                    return;
                }

                ref PaddedCounters counters = ref _pool._counters;
                if (Volatile.Read(ref counters.Open) == 0)
                {
                    continue;
                }

                Interlocked.Increment(ref counters.Joined);
                if (Volatile.Read(ref counters.Open) != 0)
                {
                    // Woken threads wake the next ones, so that the caller starts on its own share at once.
                    if (Volatile.Read(ref counters.NextPart) + 1 < _pool._partCount)
                    {
                        _pool.Wake(2);
                    }

                    _pool.ClaimParts(_index);
                }

                if (Interlocked.Decrement(ref counters.Joined) == 0 && Volatile.Read(ref counters.CallerWaits) != 0)
                {
                    _pool._callerSignal.Set();
                }
            }
        }

        /// <summary>Spins, then parks, until there is a job with another number; returns the number.</summary>
        private int WaitForJob(int seen)
        {
            ref PaddedCounters counters = ref _pool._counters;
            long limit = Stopwatch.GetTimestamp() + SpinTicks;
            while (true)
            {
                int current = Volatile.Read(ref counters.JobNumber);
                if (current != seen)
                {
                    return current;
                }

                if (Stopwatch.GetTimestamp() < limit)
                {
                    Thread.SpinWait(8);
                    continue;
                }

                if (Park(seen))
                {
                    _semaphore.Wait();
                }

                limit = Stopwatch.GetTimestamp() + SpinTicks;
            }
        }

        private bool Park(int seen)
        {
            ref PaddedCounters counters = ref _pool._counters;
            lock (_pool._parkLock)
            {
                _pool._parked[counters.ParkedCount] = this;
                Interlocked.Increment(ref counters.ParkedCount);
                if (Volatile.Read(ref counters.JobNumber) == seen)
                {
                    return true;
                }

                counters.ParkedCount--;
                _pool._parked[counters.ParkedCount] = null;
                return false;
            }
        }
    }
}
