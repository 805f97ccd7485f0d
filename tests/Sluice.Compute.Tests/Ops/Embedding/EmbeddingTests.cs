using Sluice.Compute.Ops.Embedding;

namespace Sluice.Compute.Tests.Ops.Embedding;

public sealed class EmbeddingTests
{
    [Theory]
    [InlineData(DType.Float32, 16)]
    [InlineData(DType.Float32, 37)]
    [InlineData(DType.Float16, 16)]
    [InlineData(DType.Float16, 37)]
    [InlineData(DType.BFloat16, 1)]
    [InlineData(DType.BFloat16, 300)]
    public void Embedding_AnyType_IsTheScaledRow(DType type, int width)
    {
        const float Scale = 1.5f;
        using TestTensors tensors = new(seed: width);
        (Weight table, float[] values) = tensors.RandomWeight(50, width, type);
        int[] ids = [0, 49, 17, 17, 15, 16, 31, .. Enumerable.Repeat(3, 60)];
        Tensor expected = tensors.Backend.Allocate(ids.Length, width, DType.Float32);
        Tensor actual = tensors.Random(ids.Length, width, gap: 2);

        EmbeddingReference.Run(expected, table, tensors.Integers(ids), Scale);
        tensors.Backend.Embedding(actual, table, tensors.Integers(ids), Scale);

        TestTensors.AssertSameBits(expected, actual);
        for (int i = 0; i < ids.Length; i++)
        {
            Assert.Equal(values[(ids[i] * width) + width - 1] * Scale, TestTensors.Row(actual, i)[width - 1]);
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(50)]
    public void Embedding_IdOutsideTheTable_Throws(int id)
    {
        using TestTensors tensors = new(seed: 1);
        (Weight table, _) = tensors.RandomWeight(50, 8, DType.BFloat16);
        Tensor output = tensors.Backend.Allocate(1, 8, DType.Float32);
        Tensor ids = tensors.Integers(id);

        Assert.Throws<ArgumentOutOfRangeException>(() => tensors.Backend.Embedding(output, table, ids, 1));
    }

    [Fact]
    public void GatherRows_AnyOrder_CopiesRows()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor input = tensors.Random(9, 20, gap: 5);
        Tensor rows = tensors.Integers(8, 0, 3, 3);
        Tensor expected = tensors.Backend.Allocate(4, 20, DType.Float32);
        Tensor actual = tensors.Backend.Allocate(4, 20, DType.Float32);

        EmbeddingReference.GatherRows(expected, input, rows);
        tensors.Backend.GatherRows(actual, input, rows);

        TestTensors.AssertSameBits(expected, actual);
        TestTensors.AssertSameBits(TestTensors.Row(input, 8), TestTensors.Row(actual, 0));
    }

    [Fact]
    public void ResolveTokenIds_NegativeIds_AreTakenFromTheSlots()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor ids = tensors.Integers(5, -1, 7, -3, 0);

        tensors.Backend.ResolveTokenIds(ids, tensors.Integers(100, 200, 300));

        int[] resolved = new int[5];
        tensors.Backend.Download<int>(ids, resolved);
        Assert.Equal([5, 100, 7, 300, 0], resolved);
    }
}
