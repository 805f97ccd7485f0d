using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>Rotation of 32 query heads and 8 key heads of 128, and keys and values into a cache.</summary>
public class RotateAndWriteKvBenchmark : OpBenchmark
{
    private Tensor _queries;
    private Tensor _keys;
    private Tensor _values;
    private Tensor _positions;
    private RotaryTable _table;
    private KvLayer _layer;

    [Params(1, 512)]
    public int Rows { get; set; }

    [Params(DType.Float32, DType.BFloat16)]
    public DType Cache { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _queries = NewTensor(Rows, 4096);
        _keys = NewTensor(Rows, 1024);
        _values = NewTensor(Rows, 1024);
        _positions = NewIntegers([.. Enumerable.Range(0, Rows)]);
        _layer = Backend.AllocateKvLayer(64, 16, 8, 128, 128, Cache);

        // Quarter turns: values that neither grow nor vanish however often they turn.
        Tensor cosines = Backend.Allocate(512, 64, DType.Float32);
        Tensor sines = Backend.Allocate(512, 64, DType.Float32);
        Backend.Upload<float>(sines, [.. Enumerable.Repeat(1f, 512 * 64)]);
        _table = new RotaryTable(cosines, sines, 128);
    }

    [Benchmark]
    public void RotateAndWriteKv() => Backend.RotateAndWriteKv(_queries, _keys, _values, _positions, _table, _layer, _positions);
}
