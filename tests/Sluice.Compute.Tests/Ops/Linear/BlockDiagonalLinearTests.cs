using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

public sealed class BlockDiagonalLinearTests
{
    // Sums of up to 512 float32 products of numbers in +-1.
    private const double DefinitionTolerance = 1e-4;

    [Theory]
    [InlineData(1, 1, 16, 1, 0, DType.Float32)]
    [InlineData(1, 16, 512, 128, 64, DType.BFloat16)]
    [InlineData(3, 4, 64, 32, 16, DType.BFloat16)]
    [InlineData(3, 4, 64, 160, 16, DType.Float8E4M3)]
    [InlineData(13, 2, 32, 512, 0, DType.Float16)]
    [InlineData(49, 3, 48, 33, 7, DType.BFloat16)]
    [InlineData(130, 2, 64, 31, 3, DType.Float32)]
    public void BlockDiagonalLinear_AnyShape_HasTheBitsOfTheReferenceAndIsALinearOfEachGroup(
        int rows, int groups, int blockRows, int blockColumns, int rest, DType type)
    {
        using TestTensors tensors = new(seed: rows);
        (Weight weight, float[] values) = tensors.RandomWeight(groups * blockRows, blockColumns, type);
        Tensor input = tensors.Random(rows, groups * (blockColumns + rest), gap: 8);
        Tensor expected = tensors.Random(rows, groups * (blockRows + rest), gap: 16);
        Tensor actual = tensors.Random(rows, groups * (blockRows + rest), gap: 4);

        BlockDiagonalLinearReference.Run(expected, input, weight, groups);
        tensors.Backend.BlockDiagonalLinear(actual, input, weight, groups);

        TestTensors.AssertSameBits(expected, actual);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < actual.Columns; column++)
            {
                (int group, int feature) = Math.DivRem(column, blockRows + rest);
                ReadOnlySpan<float> x = TestTensors.Row(input, row).Slice(group * (blockColumns + rest), blockColumns + rest);
                double sum = feature >= blockRows ? x[blockColumns + feature - blockRows] : 0;
                for (int k = 0; k < blockColumns && feature < blockRows; k++)
                {
                    sum += (double)x[k] * values[(((group * blockRows) + feature) * blockColumns) + k];
                }

                Assert.Equal(sum, TestTensors.Row(actual, row)[column], DefinitionTolerance);
            }
        }
    }

    [Fact]
    public void BlockDiagonalLinear_RowsByThemselves_HaveTheSameBits()
    {
        using TestTensors tensors = new(seed: 3);
        (Weight weight, _) = tensors.RandomWeight(4 * 64, 32, DType.BFloat16);
        Tensor input = tensors.Random(61, 4 * 48);
        Tensor expected = tensors.Random(61, 4 * 80);
        tensors.Backend.BlockDiagonalLinear(expected, input, weight, 4);

        Tensor actual = tensors.Random(61, 4 * 80);
        foreach ((int start, int count) in new[] { (0, 1), (1, 2), (3, 5), (8, 53) })
        {
            tensors.Backend.BlockDiagonalLinear(actual.SliceRows(start, count), input.SliceRows(start, count), weight, 4);
        }

        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void BlockDiagonalLinear_ShapesThatDoNotFit_Throws()
    {
        using TestTensors tensors = new(seed: 3);
        (Weight weight, _) = tensors.RandomWeight(2 * 16, 8, DType.Float32);

        Assert.Throws<ArgumentException>(
            () => tensors.Backend.BlockDiagonalLinear(tensors.Random(1, 40), tensors.Random(1, 16), weight, 2));
        Assert.Throws<ArgumentException>(
            () => tensors.Backend.BlockDiagonalLinear(tensors.Random(1, 32), tensors.Random(1, 16), weight, 4));
    }
}
