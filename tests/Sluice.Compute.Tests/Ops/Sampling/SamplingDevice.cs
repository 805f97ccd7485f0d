using System.Runtime.InteropServices;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Tests.Ops.Sampling;

/// <summary>The sampling operations of one form on rows from the host. Outputs are poisoned before, and rows stand apart.</summary>
internal sealed class SamplingDevice(Form form) : IDisposable
{
    // Odd, so that rows are not aligned to anything.
    private const int Gap = 3;

    private readonly OpDevice _device = OpDevice.Open(form);

    /// <summary>The forms that differ: activations have no part in sampling.</summary>
    public static IReadOnlyList<Form> Forms { get; } = [Form.Reference, Form.Simd, Form.CudaBFloat16];

    private IBackend Backend => _device.Backend;

    public static TheoryData<Form> FormData() => [.. Forms];

    /// <summary>What <see cref="IBackend.SampleTokens"/> leaves.</summary>
    public sealed record Sampled(int[] TokenIds, int[] LastSampled, int[] Counts);

    /// <summary>Samples each row by its parameters.</summary>
    /// <param name="logits">One row for all parameters, or one for each.</param>
    /// <param name="rows">Parameters.</param>
    /// <param name="counts">int32 [sequences, vocabulary]; none for no counts.</param>
    /// <param name="gap">Elements between two rows.</param>
    public Sampled Sample(float[][] logits, SamplingRow[] rows, int[]? counts = null, int gap = Gap)
    {
        int vocabulary = logits[0].Length;
        Tensor logitTensor = Rows(logits, rows.Length, gap);
        Tensor tokenIds = Words([.. Enumerable.Repeat(-77, rows.Length)], rows.Length);
        Tensor lastSampled = Words([.. Enumerable.Repeat(-88, rows.Length)], rows.Length);
        Tensor countTensor = counts is null ? default : Words(counts, vocabulary);
        Tensor rowTensor = Words(MemoryMarshal.Cast<SamplingRow, int>(rows).ToArray(), SamplingRow.Words);
        if (form == Form.Reference)
        {
            SampleTokensReference.Run(tokenIds, logitTensor, rowTensor, lastSampled, countTensor);
        }
        else
        {
            Backend.SampleTokens(tokenIds, logitTensor, rowTensor, lastSampled, countTensor);
        }

        Sampled result = new(Read(tokenIds), Read(lastSampled), counts is null ? [] : Read(countTensor));
        Free(logitTensor, tokenIds, lastSampled, countTensor, rowTensor);
        return result;
    }

    /// <summary>One token for each of some parameters, from the same logits.</summary>
    public int[] Sample(float[] logits, params SamplingRow[] rows) => Sample([logits], rows).TokenIds;

    /// <summary>Logprobs of each row at a token and at the most likely ones; -7 and NaN where nothing was written.</summary>
    public (int[] Ranks, int[][] Ids, float[][] Logprobs) Top(float[][] logits, int[] tokens, int top)
    {
        Tensor logitTensor = Rows(logits, logits.Length, Gap);
        Tensor ids = Words([.. Enumerable.Repeat(-7, tokens.Length * (1 + top))], 1 + top);
        Tensor logprobs = _device.Floats([.. Enumerable.Repeat(float.NaN, tokens.Length * (1 + top))], tokens.Length);
        Tensor ranks = Words([.. Enumerable.Repeat(-9, tokens.Length)], tokens.Length);
        Tensor tokenIds = Words(tokens, tokens.Length);
        if (form == Form.Reference)
        {
            TopLogprobsReference.Run(ids, logprobs, ranks, logitTensor, tokenIds);
        }
        else
        {
            Backend.TopLogprobs(ids, logprobs, ranks, logitTensor, tokenIds);
        }

        float[] values = new float[logprobs.Rows * logprobs.Columns];
        Backend.Download<float>(logprobs, values);
        var result = (Read(ranks), Read(ids).Chunk(1 + top).ToArray(), values.Chunk(1 + top).ToArray());
        Free(logitTensor, ids, logprobs, ranks, tokenIds);
        return result;
    }

    /// <summary>The adjusted logits. Masks, edits and counts may be empty.</summary>
    public float[] Adjust(float[][] logits, LogitRow[] rows, int[] masks, LogitEdit[] edits, int[] counts)
    {
        int vocabulary = logits[0].Length;
        Tensor logitTensor = Rows(logits, logits.Length, Gap);
        Tensor rowTensor = Words(MemoryMarshal.Cast<LogitRow, int>(rows).ToArray(), LogitRow.Words);
        Tensor maskTensor = masks.Length == 0 ? default : Words(masks, (vocabulary + 31) / 32);
        Tensor editTensor = edits.Length == 0 ? default : Words(MemoryMarshal.Cast<LogitEdit, int>(edits).ToArray(), LogitEdit.Words);
        Tensor countTensor = counts.Length == 0 ? default : Words(counts, vocabulary);
        if (form == Form.Reference)
        {
            AdjustLogitsReference.Run(logitTensor, rowTensor, maskTensor, editTensor, countTensor);
        }
        else
        {
            Backend.AdjustLogits(logitTensor, rowTensor, maskTensor, editTensor, countTensor);
        }

        float[] result = _device.Read(logitTensor);
        Free(logitTensor, rowTensor, maskTensor, editTensor, countTensor);
        return result;
    }

    public void Dispose() => _device.Dispose();

    /// <summary>Logits shaped like a language model's: a broad bell, a few that stand out, some equal.</summary>
    public static float[] Logits(int vocabulary, int seed, float spread = 2.5f)
    {
        var random = new Random(seed);
        float[] logits = new float[vocabulary];
        for (int i = 0; i < vocabulary; i++)
        {
            double bell = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            logits[i] = (float)Math.Round(bell * spread, 2);
        }

        for (int i = 0; i < Math.Min(8, vocabulary); i++)
        {
            logits[random.Next(vocabulary)] += 3 * spread;
        }

        return logits;
    }

    private Tensor Rows(float[][] rows, int count, int gap) =>
        _device.Floats([.. Enumerable.Range(0, count).SelectMany(i => rows[rows.Length == 1 ? 0 : i])], count, gap);

    private Tensor Words(int[] words, int columns)
    {
        Tensor tensor = Backend.Allocate(words.Length / columns, columns, DType.Int32);
        Backend.Upload<int>(tensor, words);
        return tensor;
    }

    private int[] Read(Tensor tensor)
    {
        int[] words = new int[tensor.Rows * tensor.Columns];
        Backend.Download<int>(tensor, words);
        return words;
    }

    private void Free(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (Tensor tensor in tensors)
        {
            if (tensor.Address != 0)
            {
                Backend.Free(tensor);
            }
        }
    }
}
