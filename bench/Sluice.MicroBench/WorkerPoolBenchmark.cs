using BenchmarkDotNet.Attributes;
using Sluice.Compute.Cpu;

namespace Sluice.MicroBench;

/// <summary>What it costs to hand work to the threads and to wait for it.</summary>
public class WorkerPoolBenchmark
{
    private WorkerPool _pool = null!;

    [GlobalSetup]
    public void Setup() => _pool = new WorkerPool(Environment.ProcessorCount);

    [GlobalCleanup]
    public void Dispose() => _pool.Dispose();

    [Benchmark]
    public void EmptyDispatch()
    {
        EmptyJob job = default;
        _pool.Run(ref job, 8);
    }

    private struct EmptyJob : IParallelJob
    {
        public readonly void Execute(int index, int thread)
        {
        }
    }
}
