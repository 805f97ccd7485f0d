using Sluice.Compute.Ops.Attention;

namespace Sluice.Compute.Tests.Ops.Attention;

public sealed class RotateTests
{
    private const double DefinitionTolerance = 1e-6;

    [Theory]
    [InlineData(1, 1, 8, 8)]
    [InlineData(3, 2, 64, 64)]
    [InlineData(5, 3, 80, 32)]
    [InlineData(4, 2, 24, 12)]
    [InlineData(200, 4, 128, 128)]
    public void Rotate_AnyShape_HasTheBitsOfTheReference(int rows, int heads, int headDim, int rotaryDim)
    {
        using TestTensors tensors = new(seed: headDim);
        Tensor actual = tensors.Random(rows, heads * headDim, gap: 16);
        Tensor expected = tensors.Copy(actual);
        RotaryTable table = new(tensors.Random(40, rotaryDim / 2), tensors.Random(40, rotaryDim / 2), rotaryDim);
        Tensor positions = tensors.Integers([.. Enumerable.Range(0, rows).Select(row => (row * 7) % 40)]);

        RotateReference.Run(expected, headDim, positions, table);
        tensors.Backend.Rotate(actual, headDim, positions, table);

        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void Reference_OneHead_TurnsPairsOfBothHalves()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor heads = tensors.Random(1, 6);
        float[] before = TestTensors.Row(heads, 0).ToArray();
        Tensor cosines = tensors.Random(3, 2);
        Tensor sines = tensors.Random(3, 2);

        RotateReference.Run(heads, 6, tensors.Integers(2), new RotaryTable(cosines, sines, 4));

        Span<float> after = TestTensors.Row(heads, 0);
        for (int i = 0; i < 2; i++)
        {
            double cosine = TestTensors.Row(cosines, 2)[i];
            double sine = TestTensors.Row(sines, 2)[i];
            Assert.Equal((before[i] * cosine) - (before[i + 2] * sine), after[i], DefinitionTolerance);
            Assert.Equal((before[i + 2] * cosine) + (before[i] * sine), after[i + 2], DefinitionTolerance);
        }

        Assert.Equal(before[4..], after[4..].ToArray());
    }

    [Fact]
    public void Rotate_PositionBeyondTheTable_Throws()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor heads = tensors.Random(1, 8);
        RotaryTable table = new(tensors.Random(4, 4), tensors.Random(4, 4), 8);
        Tensor positions = tensors.Integers(4);

        Assert.Throws<ArgumentOutOfRangeException>(() => tensors.Backend.Rotate(heads, 8, positions, table));
    }
}
