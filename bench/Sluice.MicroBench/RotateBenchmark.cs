using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>Rotary embedding of 32 heads of 128.</summary>
public class RotateBenchmark : OpBenchmark
{
    private Tensor _heads;
    private Tensor _positions;
    private RotaryTable _table;

    [Params(1, 512)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _heads = NewTensor(Rows, 4096);
        _positions = NewIntegers([.. Enumerable.Range(0, Rows)]);

        // Quarter turns: values that neither grow nor vanish however often they turn.
        Tensor cosines = Backend.Allocate(512, 64, DType.Float32);
        Tensor sines = Backend.Allocate(512, 64, DType.Float32);
        Backend.Upload<float>(sines, [.. Enumerable.Repeat(1f, 512 * 64)]);
        _table = new RotaryTable(cosines, sines, 128);
    }

    [Benchmark]
    public void Rotate() => Backend.Rotate(_heads, 128, _positions, _table);
}
