using Sluice.Layers;
using Sluice.Models;

namespace Sluice.Tests.Layers;

/// <summary>The variants that no reference model has; llama3 and yarn are checked by the models that use them.</summary>
public sealed class RotaryFrequenciesTests
{
    private const int Dim = 8;

    // Values are rounded to float32 once or twice.
    private const float RelativeTolerance = 1e-6f;

    [Fact]
    public void Compute_Default_IsAGeometricSeries()
    {
        (float[] angles, float factor) = RotaryFrequencies.Compute(new RopeParameters { Theta = 10_000 }, Dim, 100);

        AssertClose([1, 0.1f, 0.01f, 0.001f], angles);
        Assert.Equal(1, factor);
    }

    [Fact]
    public void Compute_Linear_DividesAllAngles()
    {
        (float[] angles, _) = RotaryFrequencies.Compute(new RopeParameters { Type = "linear", Factor = 4 }, Dim, 100);

        AssertClose([0.25f, 0.025f, 0.0025f, 0.00025f], angles);
    }

    [Theory]
    [InlineData(1024, 1)]
    [InlineData(2048, 3)]
    [InlineData(4096, 7)]
    public void Compute_Dynamic_GrowsThetaWithTheContext(int positions, double growth)
    {
        var rope = new RopeParameters { Type = "dynamic", Factor = 2, OriginalMaxPositions = 1024 };
        (float[] angles, _) = RotaryFrequencies.Compute(rope, Dim, positions);

        double theta = 10_000 * Math.Pow(growth, 8.0 / 6);
        AssertClose([1, (float)Math.Pow(theta, -0.25), (float)Math.Pow(theta, -0.5), (float)Math.Pow(theta, -0.75)], angles);
    }

    [Theory]
    [InlineData(512, new[] { 1f, 0.1f / 2, 0.01f / 4, 0.001f / 8 })]
    [InlineData(513, new[] { 1f / 2, 0.1f / 4, 0.01f / 8, 0.001f / 16 })]
    public void Compute_LongRope_TakesLongFactorsForLongContexts(int positions, float[] expected)
    {
        var rope = new RopeParameters
        {
            Type = "longrope",
            Factor = 8,
            OriginalMaxPositions = 512,
            ShortFactors = [1, 2, 4, 8],
            LongFactors = [2, 4, 8, 16],
        };
        (float[] angles, float factor) = RotaryFrequencies.Compute(rope, Dim, positions);

        AssertClose(expected, angles);
        // sqrt(1 + ln 8 / ln 512): 512 is the cube of 8.
        Assert.Equal(Math.Sqrt(4 / 3.0), factor, RelativeTolerance);
    }

    [Fact]
    public void Compute_YarnFactor_FollowsItsWeights()
    {
        var rope = new RopeParameters { Type = "yarn", Factor = Math.E, OriginalMaxPositions = 64 };

        Assert.Equal(1.1f, Factor(rope), RelativeTolerance);
        Assert.Equal(1f, Factor(rope with { MScale = 0.7, MScaleAllDim = 0.7 }), RelativeTolerance);
        Assert.Equal(1.2f / 1.1f, Factor(rope with { MScale = 2, MScaleAllDim = 1 }), RelativeTolerance);
        Assert.Equal(0.5f, Factor(rope with { AttentionFactor = 0.5 }), RelativeTolerance);
        Assert.Equal(1f, Factor(rope with { Factor = 0.5 }), RelativeTolerance);
    }

    [Fact]
    public void Compute_YarnUntruncated_BlendsBetweenExactPairs()
    {
        // Pair numbers of beta_fast and beta_slow: 64 log(4096 / (2 pi beta)) / (2 log 10000).
        var rope = new RopeParameters { Type = "yarn", Factor = 4, OriginalMaxPositions = 4096, Truncate = false };
        (float[] angles, _) = RotaryFrequencies.Compute(rope, 64, 16_384);
        (float[] plain, _) = RotaryFrequencies.Compute(new RopeParameters(), 64, 16_384);

        double low = 64 * Math.Log(4096 / (32 * 2 * Math.PI)) / (2 * Math.Log(10_000));
        double high = 64 * Math.Log(4096 / (2 * Math.PI)) / (2 * Math.Log(10_000));
        for (int i = 0; i < plain.Length; i++)
        {
            double stretched = Math.Clamp((i - low) / (high - low), 0, 1);
            Assert.Equal(plain[i] * (1 - (0.75 * stretched)), angles[i], plain[i] * RelativeTolerance);
        }
    }

    private static float Factor(RopeParameters rope) => RotaryFrequencies.Compute(rope, Dim, 64).Factor;

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], expected[i] * RelativeTolerance);
        }
    }
}
