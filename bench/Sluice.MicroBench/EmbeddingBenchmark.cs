using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>Rows of 2048 out of a packed table of 32,000.</summary>
public class EmbeddingBenchmark : OpBenchmark
{
    private Weight _table = null!;
    private Tensor _ids;
    private Tensor _output;

    [Params(1, 512)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _table = NewWeight(32000, 2048, DType.BFloat16);
        _ids = NewIntegers([.. Enumerable.Range(0, Rows).Select(i => i * 7919 % 32000)]);
        _output = NewTensor(Rows, 2048);
    }

    [Benchmark]
    public void Embedding() => Backend.Embedding(_output, _table, _ids, 1);
}
