using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.MicroBench;

/// <summary>
/// Eight rows of logits to tokens and logprobs. Logits are shaped like a language model's: a bell, and a few tokens that stand out of it.
/// </summary>
// In-process: the project that BenchmarkDotNet would generate does not build under this repository's warnings as errors.
[InProcess]
[MemoryDiagnoser]
public class SamplingBenchmarks
{
    private const int Rows = 8;

    private static readonly SamplingRow Plain = new(1, 0, 0, 1, 1, 2, 0, 0, -1);

    private CpuBackend? _backend;
    private Tensor _logits;
    private Tensor _tokenIds;
    private Tensor _lastSampled;
    private Tensor _counts;
    private Tensor _greedy;
    private Tensor _temperature;
    private Tensor _topK;
    private Tensor _topP;
    private Tensor _both;
    private Tensor _adjustments;
    private Tensor _ids;
    private Tensor _logprobs;
    private Tensor _ranks;

    /// <summary>Tokens: those of Llama 2, and of Qwen 2.5.</summary>
    [Params(32_000, 152_064)]
    public int Vocabulary { get; set; }

    /// <summary>Fills the tensors.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _backend = new CpuBackend();
        LogitRow[] adjustments = new LogitRow[Rows];
        for (int i = 0; i < Rows; i++)
        {
            adjustments[i] = new LogitRow(-1, i, 0, 0, 1.1f, 0.1f, 0.1f);
        }

        _logits = Upload(Logits(), Vocabulary, DType.Float32);
        _greedy = Upload(Repeat(Plain with { Temperature = 0 }), SamplingRow.Words, DType.Int32);
        _temperature = Upload(Repeat(Plain), SamplingRow.Words, DType.Int32);
        _topK = Upload(Repeat(Plain with { TopK = 50 }), SamplingRow.Words, DType.Int32);
        _topP = Upload(Repeat(Plain with { TopP = 0.95f }), SamplingRow.Words, DType.Int32);
        _both = Upload(Repeat(Plain with { TopK = 50, TopP = 0.95f }), SamplingRow.Words, DType.Int32);
        _adjustments = Upload(adjustments, LogitRow.Words, DType.Int32);
        _tokenIds = _backend.Allocate(1, Rows, DType.Int32);
        _lastSampled = _backend.Allocate(1, Rows, DType.Int32);
        _counts = _backend.Allocate(Rows, Vocabulary, DType.Int32);
        _ids = _backend.Allocate(Rows, 21, DType.Int32);
        _logprobs = _backend.Allocate(Rows, 21, DType.Float32);
        _ranks = _backend.Allocate(1, Rows, DType.Int32);
        Greedy();
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Cleanup() => _backend!.Dispose();

    /// <summary>The most likely tokens.</summary>
    [Benchmark]
    public void Greedy() => Sample(_greedy);

    /// <summary>By chance, from all tokens.</summary>
    [Benchmark]
    public void Temperature() => Sample(_temperature);

    /// <summary>From the 50 most likely.</summary>
    [Benchmark]
    public void TopK() => Sample(_topK);

    /// <summary>From 95 % of the mass.</summary>
    [Benchmark]
    public void TopP() => Sample(_topP);

    /// <summary>From 50, and of these from 95 % of the mass.</summary>
    [Benchmark]
    public void TopKTopP() => Sample(_both);

    /// <summary>Penalties of eight sequences that have generated nothing yet.</summary>
    [Benchmark]
    public void Penalties() => _backend!.AdjustLogits(_logits, _adjustments, default, default, _counts);

    /// <summary>The logprobs of eight tokens, and of the 20 most likely ones beside each.</summary>
    [Benchmark]
    public void TopLogprobs() => _backend!.TopLogprobs(_ids, _logprobs, _ranks, _logits, _tokenIds);

    private static SamplingRow[] Repeat(SamplingRow row)
    {
        SamplingRow[] rows = new SamplingRow[Rows];
        for (int i = 0; i < Rows; i++)
        {
            rows[i] = row with { Counter = (uint)i, Slot = i };
        }

        return rows;
    }

    private void Sample(Tensor rows) => _backend!.SampleTokens(_tokenIds, _logits, rows, _lastSampled, default);

    private float[] Logits()
    {
        var random = new Random(1);
        float[] logits = new float[Rows * Vocabulary];
        for (int i = 0; i < logits.Length; i++)
        {
            double bell = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            logits[i] = (float)(2.5 * bell);
        }

        for (int i = 0; i < Rows * 8; i++)
        {
            logits[(i % Rows * Vocabulary) + random.Next(Vocabulary)] += 16;
        }

        return logits;
    }

    private Tensor Upload<T>(T[] items, int columns, DType type)
        where T : unmanaged
    {
        ReadOnlySpan<int> words = MemoryMarshal.Cast<T, int>(items);
        Tensor tensor = _backend!.Allocate(words.Length / columns, columns, type);
        _backend.Upload(tensor, words);
        return tensor;
    }
}
