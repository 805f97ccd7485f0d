using Sluice.Compute.Ops.Activations;

namespace Sluice.Compute.Tests.Ops.Activations;

public sealed class GatedActivationTests
{
    // Relative to the largest output (about 8): a few roundings.
    private const double DefinitionTolerance = 4e-6;

    public static TheoryData<Activation, int, int> Shapes()
    {
        TheoryData<Activation, int, int> data = [];
        foreach (Activation activation in Enum.GetValues<Activation>())
        {
            data.Add(activation, 1, 1);
            data.Add(activation, 3, 13);
            data.Add(activation, 2, 64);
            data.Add(activation, 130, 129);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void GatedActivation_AnyShape_HasTheBitsOfTheReference(Activation activation, int rows, int width)
    {
        using TestTensors tensors = new(seed: width);
        Tensor gateUp = tensors.Random(rows, 2 * width, gap: 3, scale: 8);
        Tensor expected = tensors.Backend.Allocate(rows, width, DType.Float32);
        Tensor actual = tensors.Random(rows, width, gap: 2);

        GatedActivationReference.Run(expected, gateUp, activation);
        tensors.Backend.GatedActivation(actual, gateUp, activation);

        TestTensors.AssertSameBits(expected, actual);
    }

    [Fact]
    public void Reference_RandomValues_IsTheDefinition()
    {
        Random random = new(6);
        for (int i = 0; i < 10_000; i++)
        {
            float x = ((random.NextSingle() * 2) - 1) * 8;
            double cubic = Math.Sqrt(2 / Math.PI) * (x + (0.044715 * Math.Pow(x, 3)));
            Assert.Equal(x / (1 + Math.Exp(-x)), GatedActivationReference.Apply(x, Activation.Silu), DefinitionTolerance);
            Assert.Equal(0.5 * x * (1 + Math.Tanh(cubic)), GatedActivationReference.Apply(x, Activation.GeluTanh), DefinitionTolerance);
        }

        // Gelu of 1 and -2 by the error function.
        Assert.Equal(0.8413447460685429, GatedActivationReference.Apply(1, Activation.Gelu), DefinitionTolerance);
        Assert.Equal(-0.04550026389635842, GatedActivationReference.Apply(-2, Activation.Gelu), DefinitionTolerance);
    }

    [Theory]
    [InlineData(1, 7, 30f)]
    [InlineData(5, 130, 50f)]
    [InlineData(70, 1000, 2f)]
    public void SoftCap_AnyShape_HasTheBitsOfTheReference(int rows, int columns, float cap)
    {
        using TestTensors tensors = new(seed: columns);
        Tensor actual = tensors.Random(rows, columns, gap: 2, scale: 100);
        Tensor expected = tensors.Copy(actual);
        float first = TestTensors.Row(actual, 0)[0];

        SoftCapReference.Run(expected, cap);
        tensors.Backend.SoftCap(actual, cap);

        TestTensors.AssertSameBits(expected, actual);
        Assert.Equal(cap * Math.Tanh(first / cap), TestTensors.Row(actual, 0)[0], cap * 1e-6);
    }
}
