using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

public sealed class LinearTests
{
    // A chain of K roundings of sums up to about sqrt(K): far below for the sizes here.
    private const double DefinitionTolerance = 1e-4;

    public static TheoryData<DType, int, int, int> Shapes()
    {
        TheoryData<DType, int, int, int> data = [];
        foreach (DType type in new[] { DType.Float32, DType.Float16, DType.BFloat16, DType.Float8E4M3 })
        {
            foreach (int rows in new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 25, 31 })
            {
                data.Add(type, rows, 33, 70);
            }

            foreach ((int k, int outputs) in new[] { (1, 1), (2, 15), (3, 16), (7, 17), (64, 128), (257, 48), (1030, 100), (9001, 17) })
            {
                data.Add(type, 1, k, outputs);
                data.Add(type, 5, k, outputs);
                data.Add(type, 40, k, outputs);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Linear_AnyShape_HasTheBitsOfTheReference(DType type, int rows, int k, int outputs)
    {
        using TestTensors tensors = new(seed: rows + (k * 31) + outputs);
        Tensor input = tensors.Random(rows, k, gap: 5);
        (Weight weight, _) = tensors.RandomWeight(outputs, k, type);
        Tensor bias = tensors.Random(1, outputs);
        Tensor expected = tensors.Backend.Allocate(rows, outputs, DType.Float32);

        // The gap after each row must stay as it is: a tile may not write beyond the outputs.
        Tensor actual = tensors.Random(rows, outputs, gap: 3);
        Tensor untouched = tensors.Copy(actual with { Columns = actual.RowStride });
        foreach (Tensor? addend in new Tensor?[] { null, bias })
        {
            LinearReference.Run(expected, input, weight, addend);
            tensors.Backend.Linear(actual, input, weight, addend);
            TestTensors.AssertSameBits(expected, actual);
        }

        for (int row = 0; row < rows - 1; row++)
        {
            Tensor gaps = actual with { Columns = actual.RowStride };
            TestTensors.AssertSameBits(TestTensors.Row(untouched, row)[outputs..], TestTensors.Row(gaps, row)[outputs..], row);
        }
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.Float16)]
    [InlineData(DType.BFloat16)]
    [InlineData(DType.Float8E4M3)]
    public void Reference_RandomMatrix_IsTheProduct(DType type)
    {
        using TestTensors tensors = new(seed: 7);
        Tensor input = tensors.Random(3, 50);
        (Weight weight, float[] values) = tensors.RandomWeight(20, 50, type);
        Tensor bias = tensors.Random(1, 20);
        Tensor output = tensors.Backend.Allocate(3, 20, DType.Float32);

        LinearReference.Run(output, input, weight, bias);

        for (int row = 0; row < 3; row++)
        {
            for (int feature = 0; feature < 20; feature++)
            {
                double sum = TestTensors.Row(bias, 0)[feature];
                for (int k = 0; k < 50; k++)
                {
                    sum += (double)TestTensors.Row(input, row)[k] * values[(feature * 50) + k];
                }

                Assert.Equal(sum, TestTensors.Row(output, row)[feature], DefinitionTolerance);
            }
        }
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    [InlineData(DType.Float8E4M3)]
    public void Linear_RowInABatch_HasTheBitsOfTheRowAlone(DType type)
    {
        using TestTensors tensors = new(seed: 11);
        Tensor input = tensors.Random(900, 300);
        (Weight weight, _) = tensors.RandomWeight(80, 300, type);
        Tensor batch = tensors.Backend.Allocate(900, 80, DType.Float32);
        Tensor alone = tensors.Backend.Allocate(1, 80, DType.Float32);

        tensors.Backend.Linear(batch, input, weight, null);

        foreach (int row in new[] { 0, 1, 13, 500, 767, 768, 899 })
        {
            tensors.Backend.Linear(alone, input.SliceRows(row, 1), weight, null);
            TestTensors.AssertSameBits(alone, batch.SliceRows(row, 1));
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Linear_NonFiniteRow_ChangesNoOtherRow(float poison)
    {
        using TestTensors tensors = new(seed: 12);
        Tensor input = tensors.Random(10, 64);
        (Weight weight, _) = tensors.RandomWeight(30, 64, DType.BFloat16);
        Tensor expected = tensors.Backend.Allocate(10, 30, DType.Float32);
        Tensor actual = tensors.Backend.Allocate(10, 30, DType.Float32);
        tensors.Backend.Linear(expected, input, weight, null);

        TestTensors.Row(input, 4)[7] = poison;
        tensors.Backend.Linear(actual, input, weight, null);

        for (int row = 0; row < 10; row++)
        {
            if (row == 4)
            {
                Assert.False(float.IsFinite(TestTensors.Row(actual, row)[0]));
            }
            else
            {
                TestTensors.AssertSameBits(TestTensors.Row(expected, row), TestTensors.Row(actual, row), row);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void Linear_AnyThreadCount_HasTheSameBits(int threads)
    {
        using TestTensors one = new(seed: 13, threads: 1);
        using TestTensors many = new(seed: 13, threads);
        Tensor expected = one.Backend.Allocate(20, 200, DType.Float32);
        Tensor actual = many.Backend.Allocate(20, 200, DType.Float32);

        one.Backend.Linear(expected, one.Random(20, 100), one.RandomWeight(200, 100, DType.BFloat16).Weight, null);
        many.Backend.Linear(actual, many.Random(20, 100), many.RandomWeight(200, 100, DType.BFloat16).Weight, null);

        TestTensors.AssertSameBits(expected, actual);
    }
}
