using Sluice.Compute.Ops.Sampling;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Sampling;

[Collection(Gpu.Collection)]
public sealed class SamplingDistributionTests
{
    // Chi-square quantile at 1 - 1e-4 by Wilson and Hilferty, normal quantile 3.719: a right sampler fails one seed in ten thousand,
    // and the seeds are fixed.
    private const double NormalQuantile = 3.719;

    public static TheoryData<Form, float, float, int, float> Filters()
    {
        TheoryData<Form, float, float, int, float> data = [];
        foreach (Form form in (ReadOnlySpan<Form>)[Form.Simd, Form.CudaBFloat16])
        {
            data.Add(form, 1, 0, 0, 1);
            data.Add(form, 0.5f, 0, 0, 1);
            data.Add(form, 1.7f, 0, 0, 1);
            data.Add(form, 1, 0, 10, 1);
            data.Add(form, 1, 0, 0, 0.8f);
            data.Add(form, 1, 0.05f, 0, 1);
            data.Add(form, 0.8f, 0.02f, 12, 0.9f);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Filters))]
    public void Rows_ManyDraws_FollowTheDistribution(Form form, float temperature, float minP, int topK, float topP)
    {
        const int Draws = 20_000;
        using SamplingDevice device = new(form);
        float[] logits = SamplingDevice.Logits(150, 5, 1.2f);
        SamplingRow row = new(temperature, minP, topK, topP, 11, 22, 0, -1, -1);
        Dictionary<int, double> expected = Distribution(logits, row);
        Dictionary<int, int> drawn = SampleTokensTests.Draw(device, logits, row, Draws);

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
