using System.Diagnostics;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Tests.Cpu;

public sealed unsafe class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Run_ManyJobs_DoesEachPartOnce(int threads)
    {
        using WorkerPool pool = new(threads);
        Span<int> counts = stackalloc int[40];
        fixed (int* first = counts)
        {
            for (int round = 0; round < 3000; round++)
            {
                CountJob job = new() { Counts = first, Threads = threads };
                pool.Run(ref job, round % 41);
                if (round % 500 == 0)
                {
                    // Long enough for the workers to park.
                    Thread.Sleep(2);
                }
            }
        }

        for (int part = 0; part < counts.Length; part++)
        {
            Assert.Equal(Enumerable.Range(0, 3000).Count(round => part < round % 41), counts[part]);
        }
    }

    [Fact]
    public void Run_PartThatThrows_ThrowsAtTheCallerAndThePoolGoesOn()
    {
        using WorkerPool pool = new(3);
        for (int round = 0; round < 50; round++)
        {
            ThrowingJob throwing = new() { Part = round % 20 };
            InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => pool.Run(ref throwing, 20));
            Assert.Equal($"part {round % 20}", error.Message);
        }

        int count = 0;
        CountJob job = new() { Counts = &count, Threads = 3 };
        pool.Run(ref job, 1);
        Assert.Equal(1, count);
    }

    [Fact]
    public void Run_Repeatedly_AllocatesNothing()
    {
        using WorkerPool pool = new(2);
        int* counts = stackalloc int[8];
        CountJob job = new() { Counts = counts, Threads = 2 };
        pool.Run(ref job, 8);
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 1000; i++)
        {
            pool.Run(ref job, 8);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Idle_AfterWork_TakesNoProcessorTime()
    {
        using WorkerPool pool = new(4);
        int* counts = stackalloc int[8];
        CountJob job = new() { Counts = counts, Threads = 4 };
        pool.Run(ref job, 8);
        Thread.Sleep(50);

        // Other tests run in this process at the same time, so only this pool's threads count, by their spinning state.
        Assert.True(SpinWait.SpinUntil(() => pool.ParkedThreads == 3, TimeSpan.FromSeconds(5)), "workers did not park");
    }

    [Fact]
    public void Dispose_Twice_JoinsTheThreads()
    {
        WorkerPool pool = new(3);
        Stopwatch watch = Stopwatch.StartNew();
        pool.Dispose();
        pool.Dispose();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5));
    }

    private struct CountJob : IParallelJob
    {
        public int* Counts;
        public int Threads;

        public readonly void Execute(int index, int thread)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)thread, (uint)Threads);
            Interlocked.Increment(ref Counts[index]);
        }
    }

    private struct ThrowingJob : IParallelJob
    {
        public int Part;

        public readonly void Execute(int index, int thread)
        {
            if (index == Part)
            {
                throw new InvalidOperationException($"part {index}");
            }
        }
    }
}
