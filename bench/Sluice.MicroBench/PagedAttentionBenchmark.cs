using BenchmarkDotNet.Attributes;
using Sluice.Compute;

namespace Sluice.MicroBench;

/// <summary>One sequence, 32 heads of 128 over 8 key-value heads: decodes and a chunk of a prompt.</summary>
public class PagedAttentionBenchmark : OpBenchmark
{
    private const int Heads = 32;
    private const int KvHeads = 8;
    private const int HeadDim = 128;
    private const int BlockSize = 16;

    private Tensor _queries;
    private Tensor _output;
    private KvLayer _layer;
    private AttentionPlan _plan;

    [Params("1 of 1024", "1 of 8192", "512 of 512", "128 of 4096")]
    public string Queries { get; set; } = "";

    [Params(DType.Float32, DType.BFloat16)]
    public DType Cache { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int[] counts = [.. Queries.Split(" of ").Select(int.Parse)];
        int blocks = counts[1] / BlockSize;
        _layer = Backend.AllocateKvLayer(blocks, BlockSize, KvHeads, HeadDim, HeadDim, Cache);
        Tensor keys = NewTensor(counts[1], KvHeads * HeadDim);
        Tensor slots = NewIntegers([.. Enumerable.Range(0, counts[1])]);
        Backend.RotateAndWriteKv(keys.SliceColumns(0, 0), keys, keys, slots, default, _layer, slots);
        _queries = NewTensor(counts[0], Heads * HeadDim);
        _output = NewTensor(counts[0], Heads * HeadDim);
        Tensor unused = default;
        _plan = new AttentionPlan(
            NewIntegers(0, counts[0]), NewIntegers(counts[1]), NewIntegers([.. Enumerable.Range(0, blocks)]), unused, unused, 1, counts[0], counts[0], counts[1]);
    }

    [Benchmark]
    public void PagedAttention()
        => Backend.PagedAttention(_output, _queries, _layer, _plan, new AttentionShape(Heads, KvHeads, HeadDim, 0.088f, 0, 0));
}
