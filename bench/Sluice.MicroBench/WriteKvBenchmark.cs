using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>Keys and values of 8 heads of 128 into a cache.</summary>
public class WriteKvBenchmark : OpBenchmark
{
    private Tensor _keys;
    private Tensor _slots;
    private KvLayer _layer;

    [Params(1, 512)]
    public int Rows { get; set; }

    [Params(DType.Float32, DType.BFloat16)]
    public DType Cache { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _layer = Backend.AllocateKvLayer(64, 16, 8, 128, 128, Cache);
        _keys = NewTensor(Rows, 1024);
        _slots = NewIntegers([.. Enumerable.Range(0, Rows)]);
    }

    [Benchmark]
    public void WriteKv() => Backend.WriteKv(_layer, _keys, _keys, _slots);
}
