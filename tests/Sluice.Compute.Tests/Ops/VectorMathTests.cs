using System.Runtime.Intrinsics;
using Sluice.Compute.Ops;

namespace Sluice.Compute.Tests.Ops;

public sealed class VectorMathTests
{
    // Two units in the last place of a float.
    private const double ExpTolerance = 2.4e-7;

    // Absolute, of functions bounded by 1: one rounding of the result and a few of the intermediate steps.
    private const double BoundedTolerance = 3e-7;

    [Fact]
    public void Exp_NormalRange_IsWithinTwoUnits()
    {
        for (float x = -87.3f; x < 88.7f; x += 0.0137f)
        {
            double exact = Math.Exp(x);
            Assert.InRange(ScalarMath.Exp(x), exact * (1 - ExpTolerance), exact * (1 + ExpTolerance));
        }
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(-88f, 0f)]
    [InlineData(float.NegativeInfinity, 0f)]
    [InlineData(89f, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    public void Exp_SpecialValue_IsExact(float x, float expected)
    {
        Assert.Equal(expected, ScalarMath.Exp(x));
        Assert.Equal(expected, VectorMath.Exp(Vector256.Create(x)).GetElement(3));
    }

    [Fact]
    public void Tanh_AnyValue_IsClose()
    {
        for (float x = -12; x < 12; x += 0.00173f)
        {
            Assert.Equal(Math.Tanh(x), ScalarMath.Tanh(x), BoundedTolerance);
        }
    }

    [Theory]
    [InlineData(1e-6, 1.1283791670951495e-6)]
    [InlineData(0.1, 0.1124629160182849)]
    [InlineData(0.5, 0.5204998778130465)]
    [InlineData(0.999, 0.8422854910130894)]
    [InlineData(1.0, 0.8427007929497149)]
    [InlineData(1.5, 0.9661051464753108)]
    [InlineData(2.0, 0.9953222650189527)]
    [InlineData(3.0, 0.9999779095030014)]
    [InlineData(5.0, 0.9999999999984626)]
    public void Erf_KnownValue_IsClose(double x, double expected)
    {
        Assert.Equal(expected, ScalarMath.Erf((float)x), BoundedTolerance);
        Assert.Equal(-expected, ScalarMath.Erf((float)-x), BoundedTolerance);
    }

    [Fact]
    public void Functions_OfVectors_HaveTheBitsOfTheScalars()
    {
        Random random = new(4);
        float[] special = [0f, -0f, 1f, -1f, 0.625f, 10f, -10f, 50f, -50f, 1e30f, -1e30f, 1e-30f, float.PositiveInfinity, float.NegativeInfinity];
        for (int i = 0; i < 20_000; i++)
        {
            float x = i < special.Length ? special[i] : ((random.NextSingle() * 2) - 1) * MathF.Pow(10, random.Next(-4, 3));
            Vector256<float> lanes = Vector256.Create(x);
            AssertSame(ScalarMath.Exp(x), VectorMath.Exp(lanes), x);
            AssertSame(ScalarMath.Tanh(x), VectorMath.Tanh(lanes), x);
            AssertSame(ScalarMath.Erf(x), VectorMath.Erf(lanes), x);
        }
    }

    private static void AssertSame(float expected, Vector256<float> actual, float x)
        => Assert.True(BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(actual.GetElement(5)), $"at {x:R}");
}
