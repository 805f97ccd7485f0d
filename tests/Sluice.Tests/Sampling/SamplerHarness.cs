using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Requests;
using Sluice.Sampling;

namespace Sluice.Tests.Sampling;

/// <summary>A sampler over its own backend that is fed rows from the host.</summary>
internal sealed class SamplerHarness : IDisposable
{
    public const int Eos = 2;

    private readonly CpuBackend _backend = new(1);
    private readonly int _vocabulary;
    private readonly Tensor _lastSampled;
    private readonly UploadStaging _staging;

    public SamplerHarness(int vocabulary, int slots = 8)
    {
        _vocabulary = vocabulary;
        Sampler = new Sampler(_backend, new SamplerLimits(vocabulary, slots, MaxRows: Math.Max(16, slots), MaxLogprobs: -1), [Eos]);
        _lastSampled = _backend.Allocate(1, slots, DType.Int32);
        _staging = new UploadStaging(_backend, 1 << 16);
        Result = Sampler.CreateResult();
    }

    public Sampler Sampler { get; }

    public SampledTokens Result { get; }

    /// <summary>Samples one row for each slot and returns the tokens.</summary>
    public int[] Step(ReadOnlySpan<int> slots, params float[][] rows)
    {
        Tensor logits = Upload(rows);
        Sample(logits, slots);
        _backend.Free(logits);
        return [.. Enumerable.Range(0, Result.Count).Select(Result.TokenId)];
    }

    /// <summary>Adds a sequence, samples once for each row in a batch of its own, and removes it.</summary>
    public int[] Run(SamplingParams sampling, long seed, int[] prompt, params float[][] rows)
    {
        Sampler.AddSequence(0, sampling, seed, prompt, []);
        int[] tokens = rows.Select(row => Step([0], row)[0]).ToArray();
        Sampler.RemoveSequence(0);
        return tokens;
    }

    public PositionLogprobs?[] Score(int[] targets, int top, params float[][] rows)
    {
        var result = new PositionLogprobs?[rows.Length];
        Tensor logits = Upload(rows);
        Sampler.ScorePrompt(logits, targets, top, result);
        _backend.Free(logits);
        return result;
    }

    /// <summary>Bytes that the thread allocates in so many steps of slot 0, the first few not counted.</summary>
    public long AllocatedBytesOfSteps(float[] row, int steps)
    {
        Tensor logits = Upload([row]);
        long before = 0;
        for (int i = -5; i < steps; i++)
        {
            if (i == 0)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            _backend.Upload<float>(logits, row);
            Sample(logits, [0]);
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    public int[] LastSampled()
    {
        int[] ids = new int[_lastSampled.Columns];
        _backend.Download<int>(_lastSampled, ids);
        return ids;
    }

    public void Dispose()
    {
        Result.Dispose();
        _staging.Dispose();
        _backend.Dispose();
    }

    private void Sample(Tensor logits, ReadOnlySpan<int> slots)
    {
        _staging.Reset();
        Sampler.NoteOutputs(Result);
        Sampler.Begin(slots, Result);
        Sampler.Sample(logits, slots, 0, _lastSampled, Result, _staging);
    }

    private Tensor Upload(float[][] rows)
    {
        Tensor logits = _backend.Allocate(rows.Length, _vocabulary, DType.Float32);
        _backend.Upload<float>(logits, rows.SelectMany(row => row).ToArray());
        return logits;
    }
}
