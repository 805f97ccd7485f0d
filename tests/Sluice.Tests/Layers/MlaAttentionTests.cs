using System.Runtime.InteropServices;

namespace Sluice.Tests.Layers;

/// <summary>The forms of latent attention against each other and against the definition.</summary>
public sealed class MlaAttentionTests
{
    // Chains of a few hundred float32 products, and a softmax over up to 32,768 scores; results are of the order of 1.
    private const double Tolerance = 3e-5;

    private static readonly LatentShape Small = new(Hidden: 24, Heads: 3, QueryRank: 0, KvRank: 32, PlainDim: 12, RotaryDim: 8, ValueDim: 16);

    private static readonly LatentShape Released =
        new(Hidden: 64, Heads: 5, QueryRank: 48, KvRank: 512, PlainDim: 128, RotaryDim: 64, ValueDim: 128);

    [Theory]
    [InlineData(false, 1, 1)]
    [InlineData(false, 70, 1)]
    [InlineData(false, 700, 7)]
    [InlineData(false, 2100, 1)]
    [InlineData(false, 5000, 333)]
    [InlineData(false, 4096, 4096)]
    [InlineData(false, 32768, 1000)]
    [InlineData(true, 100, 1)]
    [InlineData(true, 600, 64)]
    [InlineData(true, 1500, 1024)]
    public void Forward_AnyContextAndChunk_AllFormsAgree(bool released, int context, int chunk)
    {
        using var layer = new LatentLayer(released ? Released : Small, context);
        int hidden = (released ? Released : Small).Hidden;
        float[] absorbed = layer.Absorbed(chunk);
        float[] whole = layer.Absorbed(4096);
        float[] upProjected = layer.UpProjected(4096);

        // Not a bit depends on how the tokens are cut.
        Assert.True(MemoryMarshal.AsBytes<float>(whole).SequenceEqual(MemoryMarshal.AsBytes<float>(absorbed)));
        double between = absorbed.Zip(upProjected).Max(static pair => (double)Math.Abs(pair.First - pair.Second));
        int[] positions = [.. new[] { 0, 1, context / 3, context - 1 }.Where(position => position >= 0 && position < context).Distinct()];
        double[][] exact = layer.Exact(positions);
        double most = 0;
        for (int i = 0; i < positions.Length; i++)
        {
            for (int column = 0; column < hidden; column++)
            {
                most = Math.Max(most, Math.Abs(exact[i][column] - absorbed[(positions[i] * hidden) + column]));
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"absorbed to up-projected {between:g3}, to float64 {most:g3} at most");
        Assert.InRange(between, 0, Tolerance);
        Assert.InRange(most, 0, Tolerance);
    }

    [Fact]
    public void Forward_ResultsOfTheTest_AreNotTrivial()
    {
        // A test whose softmax is flat or whose values vanish would agree with anything.
        using var layer = new LatentLayer(Small, 300);
        float[] results = layer.Absorbed(300);

        Assert.InRange(results.Max(Math.Abs), 0.5f, 100f);
        Assert.NotEqual(results[^Small.Hidden..], results[^(2 * Small.Hidden)..^Small.Hidden]);
    }
}
