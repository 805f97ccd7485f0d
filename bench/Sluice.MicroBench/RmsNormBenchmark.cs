using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>Norm of rows of 4096, alone and with the residual addition.</summary>
public class RmsNormBenchmark : OpBenchmark
{
    private Tensor _input;
    private Tensor _residual;
    private Tensor _output;
    private Tensor _gain;

    [Params(1, 512)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _input = NewTensor(Rows, 4096);
        _residual = NewTensor(Rows, 4096);
        _output = NewTensor(Rows, 4096);
        _gain = NewTensor(1, 4096);
    }

    [Benchmark]
    public void RmsNorm() => Backend.RmsNorm(_output, _input, _gain, 1e-5f, 0);

    [Benchmark]
    public void AddRmsNorm() => Backend.AddRmsNorm(_output, _residual, _input, _gain, 1e-5f, 0);
}
