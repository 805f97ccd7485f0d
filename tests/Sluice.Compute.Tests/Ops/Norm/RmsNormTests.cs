using Sluice.Compute.Ops.Norm;

namespace Sluice.Compute.Tests.Ops.Norm;

public sealed class RmsNormTests
{
    private const float Epsilon = 1e-5f;
    private const double DefinitionTolerance = 1e-5;

    [Theory]
    [InlineData(1, 1, 8, 0f)]
    [InlineData(3, 1, 5, 1f)]
    [InlineData(4, 1, 16, 0f)]
    [InlineData(5, 1, 37, 0f)]
    [InlineData(2, 4, 64, 1f)]
    [InlineData(300, 3, 100, 0f)]
    [InlineData(64, 1, 2048, 0f)]
    public void RmsNorm_AnyShape_HasTheBitsOfTheReference(int rows, int groups, int width, float gainOffset)
    {
        using TestTensors tensors = new(seed: width);
        Tensor input = tensors.Random(rows, groups * width, gap: 4, scale: 9);
        Tensor gain = tensors.Random(1, width);
        Tensor expected = tensors.Backend.Allocate(rows, groups * width, DType.Float32);
        Tensor actual = tensors.Random(rows, groups * width, gap: 1);

        RmsNormReference.Run(expected, input, gain, Epsilon, gainOffset);
        tensors.Backend.RmsNorm(actual, input, gain, Epsilon, gainOffset);
        TestTensors.AssertSameBits(expected, actual);

        tensors.Backend.RmsNorm(input, input, gain, Epsilon, gainOffset);
        TestTensors.AssertSameBits(expected, input);
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(3, 37)]
    [InlineData(200, 512)]
    public void AddRmsNorm_AnyShape_HasTheBitsOfTheReference(int rows, int width)
    {
        using TestTensors tensors = new(seed: width);
        Tensor residual = tensors.Random(rows, width, gap: 2);
        Tensor input = tensors.Random(rows, width, gap: 3);
        Tensor gain = tensors.Random(1, width);
        Tensor expectedResidual = tensors.Copy(residual);
        Tensor expected = tensors.Backend.Allocate(rows, width, DType.Float32);
        Tensor actual = tensors.Backend.Allocate(rows, width, DType.Float32);

        RmsNormReference.RunAdd(expected, expectedResidual, input, gain, Epsilon, 0);
        tensors.Backend.AddRmsNorm(actual, residual, input, gain, Epsilon, 0);

        TestTensors.AssertSameBits(expectedResidual, residual);
        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void Reference_RandomRow_IsTheDefinition()
    {
        using TestTensors tensors = new(seed: 3);
        Tensor input = tensors.Random(1, 50);
        Tensor gain = tensors.Random(1, 50);
        Tensor output = tensors.Backend.Allocate(1, 50, DType.Float32);

        RmsNormReference.Run(output, input, gain, Epsilon, 1);

        double square = 0;
        foreach (float value in TestTensors.Row(input, 0))
        {
            square += (double)value * value;
        }

        for (int i = 0; i < 50; i++)
        {
            double expected = TestTensors.Row(input, 0)[i] / Math.Sqrt((square / 50) + Epsilon) * (TestTensors.Row(gain, 0)[i] + 1.0);
            Assert.Equal(expected, TestTensors.Row(output, 0)[i], DefinitionTolerance);
        }
    }
}
