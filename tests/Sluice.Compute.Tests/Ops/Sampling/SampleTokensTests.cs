using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Tests.Ops.Sampling;

public sealed class SampleTokensTests
{
    // Chi-square quantile at 1 - 1e-4 by Wilson and Hilferty, normal quantile 3.719: a right sampler fails one seed in ten thousand,
    // and the seeds are fixed.
    private const double NormalQuantile = 3.719;

    private static readonly SamplingRow Plain = new(1, 0, 0, 1, 11, 22, 0, -1, -1);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Row_GreedyTie_TakesLowestId(bool simd)
    {
        float[] logits = new float[1000];
        logits[900] = logits[77] = logits[78] = 5;
        Assert.Equal(77, SamplingRows.Sample(simd, logits, Plain with { Temperature = 0 }));
        Assert.Equal(77, SamplingRows.Sample(simd, logits, Plain with { TopK = 1 }));
        Assert.Equal(0, SamplingRows.Sample(simd, [-0.0f, 0.0f], Plain with { Temperature = 0 }));
    }

    [Theory]
    [InlineData(false, float.NaN)]
    [InlineData(true, float.NaN)]
    [InlineData(false, float.PositiveInfinity)]
    [InlineData(true, float.PositiveInfinity)]
    public void Row_NotFinite_SaysSo(bool simd, float value)
    {
        foreach (int position in (ReadOnlySpan<int>)[0, 63, 64, 500, 998])
        {
            float[] logits = SamplingRows.Logits(999, 1);
            logits[position] = value;
            Assert.Equal(SamplingRow.NotFinite, SamplingRows.Sample(simd, logits, Plain));
            Assert.Equal(SamplingRow.NotFinite, SamplingRows.Sample(simd, logits, Plain with { Temperature = 0 }));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Row_EverythingForbidden_SaysSo(bool simd)
    {
        float[] logits = Enumerable.Repeat(float.NegativeInfinity, 130).ToArray();
        Assert.Equal(SamplingRow.NothingPossible, SamplingRows.Sample(simd, logits, Plain));
        logits[100] = -1e30f;
        Assert.Equal(100, SamplingRows.Sample(simd, logits, Plain));
        Assert.Equal(100, SamplingRows.Sample(simd, logits, Plain with { TopP = 0.5f, TopK = 3, MinP = 0.1f }));
    }

    public static TheoryData<int, float, float, int, float> Filters
    {
        get
        {
            var data = new TheoryData<int, float, float, int, float>();
            foreach (int vocabulary in (ReadOnlySpan<int>)[1, 7, 64, 1000, 32003])
            {
                data.Add(vocabulary, 1, 0, 0, 1);
                data.Add(vocabulary, 0.3f, 0, 0, 1);
                data.Add(vocabulary, 2, 0, 5, 1);
                data.Add(vocabulary, 0.7f, 0, 50, 0.9f);
                data.Add(vocabulary, 1, 0, 700, 1);
                data.Add(vocabulary, 1, 0, 0, 0.95f);
                data.Add(vocabulary, 2, 0, 0, 0.999f);
                data.Add(vocabulary, 1, 0, 0, 1e-6f);
                data.Add(vocabulary, 1, 0.05f, 0, 1);
                data.Add(vocabulary, 1.3f, 0.01f, 40, 0.8f);
                data.Add(vocabulary, 1, 1, 0, 1);
                data.Add(vocabulary, 0.01f, 0.02f, 0, 0.5f);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Filters))]
    public void Row_AnyFilters_AgreesWithReference(int vocabulary, float temperature, float minP, int topK, float topP)
    {
        // The draws differ only when the random number falls within float rounding of a boundary; none of these seeds does.
        for (uint seed = 0; seed < 12; seed++)
        {
            float[] logits = SamplingRows.Logits(vocabulary, (int)seed);
            if (vocabulary > 100)
            {
                logits.AsSpan(10, 70).Fill(float.NegativeInfinity);
            }

            SamplingRow row = new(temperature, minP, topK, topP, seed, 7, seed * 3, -1, -1);
            Assert.Equal(SamplingRows.Sample(false, logits, row), SamplingRows.Sample(true, logits, row));
        }
    }

    [Fact]
    public void Row_TopKTie_KeepsLowestIds()
    {
        float[] logits = new float[300];
        HashSet<int> seen = Draw(logits, Plain with { TopK = 3 }, 400).Keys.ToHashSet();
        Assert.Equal([0, 1, 2], seen.Order());
    }

    [Fact]
    public void Row_TopPOnExactMass_KeepsSmallestSet()
    {
        // Eight equal tokens of mass 1/8: half the mass is four of them, a little more is five.
        float[] logits = Enumerable.Repeat(float.NegativeInfinity, 100).ToArray();
        logits.AsSpan(50, 8).Fill(1);
        Assert.Equal([50, 51, 52, 53], Draw(logits, Plain with { TopP = 0.5f }, 400).Keys.Order());
        Assert.Equal([50, 51, 52, 53, 54], Draw(logits, Plain with { TopP = 0.501f }, 400).Keys.Order());
    }

    [Fact]
    public void Row_TopKThenTopP_MassIsRelativeToTheKept()
    {
        // Ten equal tokens; of the four that top-k keeps, half the mass is two.
        Assert.Equal([0, 1], Draw(new float[10], Plain with { TopK = 4, TopP = 0.5f }, 200).Keys.Order());
    }

    [Theory]
    [InlineData(1, 0, 0, 1)]
    [InlineData(0.5f, 0, 0, 1)]
    [InlineData(1.7f, 0, 0, 1)]
    [InlineData(1, 0, 10, 1)]
    [InlineData(1, 0, 0, 0.8f)]
    [InlineData(1, 0.05f, 0, 1)]
    [InlineData(0.8f, 0.02f, 12, 0.9f)]
    public void Row_ManyDraws_FollowTheDistribution(float temperature, float minP, int topK, float topP)
    {
        const int Draws = 20_000;
        float[] logits = SamplingRows.Logits(150, 5, 1.2f);
        SamplingRow row = Plain with { Temperature = temperature, MinP = minP, TopK = topK, TopP = topP };
        Dictionary<int, double> expected = Distribution(logits, row);
        Dictionary<int, int> drawn = Draw(logits, row, Draws);

        Assert.All(drawn.Keys, token => Assert.Contains(token, expected));
        double statistic = 0;
        int freedom = -1;
        double restExpected = 0;
        double restDrawn = 0;
        foreach ((int token, double probability) in expected)
        {
            double count = drawn.GetValueOrDefault(token);
            if (probability * Draws < 5)
            {
                restExpected += probability * Draws;
                restDrawn += count;
                continue;
            }

            statistic += Math.Pow(count - (probability * Draws), 2) / (probability * Draws);
            freedom++;
        }

        if (restExpected >= 5)
        {
            statistic += Math.Pow(restDrawn - restExpected, 2) / restExpected;
            freedom++;
        }

        double ninth = 2.0 / (9 * Math.Max(freedom, 1));
        double limit = Math.Max(freedom, 1) * Math.Pow(1 - ninth + (NormalQuantile * Math.Sqrt(ninth)), 3);
        Assert.True(statistic < limit, $"chi-square {statistic:0.0} with {freedom} degrees of freedom, limit {limit:0.0}");
    }

    [Fact]
    public void Uniform_KnownVector_MatchesThePaper()
    {
        // Known answers of Philox4x32-10 from the authors' test suite.
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), Philox.Block(0, 0, 0, 0, 0, 0));
        Assert.Equal(
            (0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u),
            Philox.Block(0xa4093822, 0x299f31d0, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344));
    }

    private static Dictionary<int, int> Draw(float[] logits, SamplingRow row, int draws)
    {
        Dictionary<int, int> drawn = [];
        for (uint counter = 0; counter < draws; counter++)
        {
            int token = SamplingRows.Sample(true, logits, row with { Counter = counter });
            drawn[token] = drawn.GetValueOrDefault(token) + 1;
        }

        return drawn;
    }

    /// <summary>The probabilities by the textbook, with no code of the product.</summary>
    private static Dictionary<int, double> Distribution(float[] logits, SamplingRow row)
    {
        var tokens = logits.Select((logit, token) => (Token: token, Weight: Math.Exp(logit / row.Temperature)))
            .OrderByDescending(pair => pair.Weight).ThenBy(pair => pair.Token).ToList();
        tokens = tokens.Where(pair => pair.Weight >= row.MinP * tokens[0].Weight).ToList();
        tokens = row.TopK > 0 ? tokens.Take(row.TopK).ToList() : tokens;
        double total = tokens.Sum(pair => pair.Weight);
        double above = 0;
        tokens = tokens.TakeWhile(pair => (above += pair.Weight) - pair.Weight < row.TopP * total).ToList();
        total = tokens.Sum(pair => pair.Weight);
        return tokens.ToDictionary(pair => pair.Token, pair => pair.Weight / total);
    }
}
