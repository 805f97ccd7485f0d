using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>
/// A mixture of experts with the shape of Qwen3-30B-A3B: 128 experts of 768, 8 of them for a token. The linear layer is the first of an
/// expert; its limit is the memory that holds the chosen matrices, 6 MiB each.
/// </summary>
public class ExpertsBenchmark : OpBenchmark
{
    private const int Experts = 128;
    private const int HiddenSize = 2048;
    private const int Width = 2 * 768;

    private static readonly Routing Rule = new(Experts, 8) { Normalize = true };

    private ExpertWeights _weights = null!;
    private Tensor _logits;
    private Tensor _chosen;
    private Tensor _shares;
    private Tensor _input;
    private Tensor _output;

    [Params(1, 16, 256)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _weights = new ExpertWeights([.. Enumerable.Range(0, Experts).Select(_ => NewWeight(Width, HiddenSize, DType.BFloat16))]);
        _logits = NewTensor(Tokens, Experts);
        _chosen = Backend.Allocate(Tokens, Rule.ChosenExperts, DType.Int32);
        _shares = Backend.Allocate(Tokens, Rule.ChosenExperts, DType.Float32);
        _input = NewTensor(Tokens, HiddenSize);
        _output = NewTensor(Tokens * Rule.ChosenExperts, Width);
        Route();
    }

    [Benchmark]
    public void Route() => Backend.Route(_chosen, _shares, _logits, null, Rule);

    [Benchmark]
    public void ExpertLinear() => Backend.ExpertLinear(_output, _input, _weights, null, _chosen);
}
