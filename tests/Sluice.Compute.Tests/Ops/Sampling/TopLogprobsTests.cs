namespace Sluice.Compute.Tests.Ops.Sampling;

public sealed class TopLogprobsTests
{
    // Both paths subtract one double from the same float; only the sums of the exponentials differ, by float rounding.
    private const float Tolerance = 1e-5f;

    [Theory]
    [InlineData(1, 0)]
    [InlineData(5, 5)]
    [InlineData(63, 20)]
    [InlineData(1000, 1)]
    [InlineData(1000, 20)]
    [InlineData(1000, 1000)]
    [InlineData(32003, 5)]
    [InlineData(32003, 600)]
    public void Row_AnyCount_AgreesWithReference(int vocabulary, int count)
    {
        for (int seed = 0; seed < 5; seed++)
        {
            float[] logits = SamplingRows.Logits(vocabulary, seed);
            if (vocabulary > 100)
            {
                logits.AsSpan(30, 70).Fill(float.NegativeInfinity);
            }

            int token = seed * 7 % vocabulary;
            var (expectedRank, expectedIds, expectedLogprobs) = SamplingRows.Top(false, logits, token, count);
            var (rank, ids, logprobs) = SamplingRows.Top(true, logits, token, count);
            Assert.Equal(expectedRank, rank);
            Assert.Equal(expectedIds, ids);
            for (int i = 0; i < logprobs.Length; i++)
            {
                Assert.Equal(expectedLogprobs[i], logprobs[i], Tolerance);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Row_Ties_OrderByIdAndCountInRank(bool simd)
    {
        float[] logits = new float[200];
        logits[150] = logits[20] = logits[90] = 2;
        var (rank, ids, logprobs) = SamplingRows.Top(simd, logits, 150, 5);
        Assert.Equal(3, rank);
        Assert.Equal([150, 20, 90, 150, 0, 1], ids);
        double normalizer = Math.Log((3 * Math.Exp(2)) + 197);
        Assert.Equal((float)(2 - normalizer), logprobs[0], Tolerance);
        Assert.Equal((float)-normalizer, logprobs[5], Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Row_NotFinite_IsNaN(bool simd)
    {
        float[] logits = SamplingRows.Logits(500, 3);
        logits[77] = float.NaN;
        var (rank, ids, logprobs) = SamplingRows.Top(simd, logits, 4, 3);
        Assert.Equal(0, rank);
        Assert.All(ids, id => Assert.InRange(id, 0, 499));
        Assert.All(logprobs, logprob => Assert.True(float.IsNaN(logprob)));
    }
}
