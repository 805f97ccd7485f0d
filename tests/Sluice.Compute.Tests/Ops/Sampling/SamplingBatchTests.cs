using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Tests.Ops.Sampling;

/// <summary>The operations as a backend offers them: tensors in, tensors out, rows shared among threads.</summary>
public sealed class SamplingBatchTests
{
    private const int Vocabulary = 777;
    private const int Rows = 37;

    [Fact]
    public void SampleTokens_Batch_SameAsEachRowByReference()
    {
        using CpuBackend backend = new(3);
        SamplingRow[] rows = new SamplingRow[Rows];
        for (int i = 0; i < Rows; i++)
        {
            rows[i] = new SamplingRow(i % 4 * 0.5f, 0, i % 5 * 10, i % 3 == 0 ? 1 : 0.9f, (uint)i, 3, (uint)i, Rows - 1 - i, i % 2 == 0 ? i : -1);
        }

        float[][] logits = Enumerable.Range(0, Rows).Select(i => SamplingRows.Logits(Vocabulary, i)).ToArray();
        logits[5][6] = float.NaN;
        Tensor counts = backend.Allocate(Rows, Vocabulary, DType.Int32);
        Tensor lastSampled = backend.Allocate(1, Rows, DType.Int32);
        Tensor tokenIds = backend.Allocate(1, Rows, DType.Int32);
        Tensor rowTensor = Upload(backend, rows, SamplingRow.Words);
        backend.SampleTokens(tokenIds, Upload(backend, logits), rowTensor, lastSampled, counts);

        int[] ids = Read(backend, tokenIds);
        int[] last = Read(backend, lastSampled);
        int[] counted = Read(backend, counts);
        for (int i = 0; i < Rows; i++)
        {
            Assert.Equal(SampleTokensReference.Row(logits[i], rows[i]), ids[i]);
            Assert.Equal(Math.Max(ids[i], 0), last[Rows - 1 - i]);
            Assert.Equal(rows[i].CountRow >= 0 && ids[i] >= 0 ? 1 : 0, counted.AsSpan(i * Vocabulary, Vocabulary).ToArray().Sum());
        }

        Assert.Equal(SamplingRow.NotFinite, ids[5]);
    }

    [Fact]
    public void AdjustLogits_Batch_SameBitsAsReference()
    {
        using CpuBackend backend = new(3);
        var random = new Random(4);
        int words = (Vocabulary + 31) / 32;
        int[] masks = Enumerable.Range(0, 3 * words).Select(_ => random.Next(int.MinValue, int.MaxValue)).ToArray();
        int[] counts = Enumerable.Range(0, 4 * Vocabulary).Select(_ => random.Next(6) == 0 ? random.Next(3) : 0).ToArray();
        LogitEdit[] edits = Enumerable.Range(0, Rows).Select(i => new LogitEdit(i * 7, i)).ToArray();
        LogitRow[] rows = Enumerable.Range(0, Rows)
            .Select(i => new LogitRow((i % 4) - 1, (i % 5) - 1, i, i % 3 == 0 ? 1 : 0, 1 + (i * 0.01f), 0.1f, 0.2f)).ToArray();
        float[][] logits = Enumerable.Range(0, Rows).Select(i => SamplingRows.Logits(Vocabulary, i)).ToArray();

        Tensor expected = Upload(backend, logits);
        Tensor actual = Upload(backend, logits);
        Tensor rowTensor = Upload(backend, rows, LogitRow.Words);
        Tensor maskTensor = Upload(backend, masks, words);
        Tensor editTensor = Upload(backend, edits, LogitEdit.Words);
        Tensor countTensor = Upload(backend, counts, Vocabulary);
        AdjustLogitsReference.Run(expected, rowTensor, maskTensor, editTensor, countTensor);
        backend.AdjustLogits(actual, rowTensor, maskTensor, editTensor, countTensor);
        Assert.Equal(Read(backend, expected), Read(backend, actual));
    }

    [Fact]
    public void TopLogprobs_Batch_SkipsRowsWithoutToken()
    {
        using CpuBackend backend = new(3);
        float[][] logits = Enumerable.Range(0, Rows).Select(i => SamplingRows.Logits(Vocabulary, i)).ToArray();
        int[] tokens = Enumerable.Range(0, Rows).Select(i => i == 9 ? -1 : i).ToArray();
        Tensor ids = backend.Allocate(Rows, 4, DType.Int32);
        Tensor logprobs = backend.Allocate(Rows, 4, DType.Float32);
        Tensor ranks = backend.Allocate(1, Rows, DType.Int32);
        backend.TopLogprobs(ids, logprobs, ranks, Upload(backend, logits), Upload(backend, tokens, Rows));

        int[] actual = Read(backend, ids);
        int[] actualRanks = Read(backend, ranks);
        for (int i = 0; i < Rows; i++)
        {
            (int rank, int[] expected, _) = SamplingRows.Top(false, logits[i], i, 3);
            Assert.Equal(i == 9 ? [0, 0, 0, 0] : expected, actual.AsSpan(i * 4, 4).ToArray());
            Assert.Equal(i == 9 ? 0 : rank, actualRanks[i]);
        }
    }

    private static Tensor Upload(CpuBackend backend, float[][] rows)
    {
        Tensor tensor = backend.Allocate(rows.Length, rows[0].Length, DType.Float32);
        backend.Upload<float>(tensor, rows.SelectMany(row => row).ToArray());
        return tensor;
    }

    private static Tensor Upload<T>(CpuBackend backend, T[] items, int columns)
        where T : unmanaged
    {
        ReadOnlySpan<int> words = MemoryMarshal.Cast<T, int>(items);
        Tensor tensor = backend.Allocate(words.Length / columns, columns, DType.Int32);
        backend.Upload(tensor, words);
        return tensor;
    }

    private static int[] Read(CpuBackend backend, Tensor tensor)
    {
        int[] words = new int[tensor.Rows * tensor.Columns];
        backend.Download<int>(tensor with { Type = DType.Int32 }, words);
        return words;
    }
}
