using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>
/// Attention over the latents of one sequence with the released dimensions, from queries to attended values: with the matrices of heads
/// absorbed into queries and results, as the product does it, and with keys and values of heads made from all latents of the context.
/// </summary>
public class LatentAttentionBenchmark : OpBenchmark
{
    private const int KvRank = 512;
    private const int PlainDim = 128;
    private const int RotaryDim = 64;
    private const int ValueDim = 128;
    private const int BlockSize = 16;

    private Tensor _queries;
    private Tensor _absorbed;
    private Tensor _attendedLatent;
    private Tensor _attended;
    private Tensor _latents;
    private Tensor _expanded;
    private Tensor _headKeys;
    private Tensor _headValues;
    private Tensor _slots;
    private Weight? _keys;
    private Weight? _values;
    private Weight? _keyValue;
    private KvLayer _latentCache;
    private KvLayer _headCache;
    private AttentionPlan _plan;

    [Params(16, 128)]
    public int Heads { get; set; }

    [Params("1 of 1024", "1 of 4096", "512 of 512", "128 of 4096")]
    public string Queries { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] counts = [.. Queries.Split(" of ").Select(int.Parse)];
        int blocks = counts[1] / BlockSize;
        _latentCache = Backend.AllocateKvLayer(blocks, BlockSize, 1, KvRank + RotaryDim, KvRank, DType.BFloat16, valuesInKeys: true);
        _headCache = Backend.AllocateKvLayer(blocks, BlockSize, Heads, PlainDim + RotaryDim, ValueDim, DType.BFloat16);
        _latents = NewTensor(counts[1], KvRank + RotaryDim);
        _slots = NewIntegers([.. Enumerable.Range(0, counts[1])]);
        Backend.RotateAndWriteKv(_latents.SliceColumns(0, 0), _latents, _latents.SliceColumns(0, 0), _slots, default, _latentCache, _slots);
        _queries = NewTensor(counts[0], Heads * (PlainDim + RotaryDim));
        _absorbed = NewTensor(counts[0], Heads * (KvRank + RotaryDim));
        _attendedLatent = NewTensor(counts[0], Heads * KvRank);
        _attended = NewTensor(counts[0], Heads * ValueDim);
        _keys = NewWeight(Heads * KvRank, PlainDim, DType.BFloat16);
        _values = NewWeight(Heads * ValueDim, KvRank, DType.BFloat16);
        _keyValue = NewWeight(Heads * (PlainDim + ValueDim), KvRank, DType.BFloat16);
        _expanded = NewTensor(counts[1], Heads * (PlainDim + ValueDim));
        _headKeys = NewTensor(counts[1], Heads * (PlainDim + RotaryDim));
        _headValues = NewTensor(counts[1], Heads * ValueDim);
        Tensor unused = default;
        _plan = new AttentionPlan(
            NewIntegers(0, counts[0]), NewIntegers(counts[1]), NewIntegers([.. Enumerable.Range(0, blocks)]), unused, unused, 1, counts[0], counts[0], counts[1]);
    }

    [Benchmark(Baseline = true)]
    public void Absorbed()
    {
        Backend.BlockDiagonalLinear(_absorbed, _queries, _keys!, Heads);
        Backend.PagedAttention(_attendedLatent, _absorbed, _latentCache, _plan, new AttentionShape(Heads, 1, KvRank + RotaryDim, 0.07f, 0, 0));
        Backend.BlockDiagonalLinear(_attended, _attendedLatent, _values!, Heads);
    }

    [Benchmark]
    public void UpProjected()
    {
        Backend.Linear(_expanded, _latents.SliceColumns(0, KvRank), _keyValue!, null);
        Backend.RotateAndWriteKv(_headKeys.SliceColumns(0, 0), _headKeys, _headValues, _slots, default, _headCache, _slots);
        Backend.PagedAttention(_attended, _queries, _headCache, _plan, new AttentionShape(Heads, Heads, PlainDim + RotaryDim, 0.07f, 0, 0));
    }
}
