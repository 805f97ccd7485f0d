using Sluice.Compute.Ops.Elementwise;

namespace Sluice.Compute.Tests.Ops.Elementwise;

public sealed class AddTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 37)]
    [InlineData(150, 500)]
    public void Add_AnyShape_HasTheBitsOfTheReference(int rows, int columns)
    {
        using TestTensors tensors = new(seed: columns);
        Tensor input = tensors.Random(rows, columns, gap: 1);
        Tensor actual = tensors.Random(rows, columns, gap: 3);
        Tensor expected = tensors.Copy(actual);

        AddReference.Run(expected, input);
        tensors.Backend.Add(actual, input);

        TestTensors.AssertSameBits(expected, actual);
    }
}
