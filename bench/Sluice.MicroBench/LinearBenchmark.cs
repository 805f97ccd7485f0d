using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>The four layer shapes of a 1.1-billion-parameter Llama, one decode to a whole prompt.</summary>
public class LinearBenchmark : OpBenchmark
{
    private Tensor _input;
    private Tensor _output;
    private Weight _weight = null!;

    [Params(1, 8, 64, 512)]
    public int Rows { get; set; }

    [Params("2048x2048", "2048x11264", "5632x2048")]
    public string Shape { get; set; } = "";

    [Params(DType.BFloat16, DType.Float16, DType.Float8E4M3)]
    public DType Type { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int[] shape = [.. Shape.Split('x').Select(int.Parse)];
        _weight = NewWeight(shape[1], shape[0], Type);
        _input = NewTensor(Rows, shape[0]);
        _output = NewTensor(Rows, shape[1]);
    }

    [Benchmark]
    public void Linear() => Backend.Linear(_output, _input, _weight, null);
}
