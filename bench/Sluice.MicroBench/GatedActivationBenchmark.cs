using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>Gated activation of rows of 14336.</summary>
public class GatedActivationBenchmark : OpBenchmark
{
    private Tensor _gateUp;
    private Tensor _output;

    [Params(1, 512)]
    public int Rows { get; set; }

    [ParamsAllValues]
    public Activation Activation { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _gateUp = NewTensor(Rows, 2 * 14336);
        _output = NewTensor(Rows, 14336);
    }

    [Benchmark]
    public void GatedActivation() => Backend.GatedActivation(_output, _gateUp, Activation);
}
