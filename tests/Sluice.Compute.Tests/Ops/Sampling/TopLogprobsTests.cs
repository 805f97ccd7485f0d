using Sluice.Compute.Ops.Sampling;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Sampling;

[Collection(Gpu.Collection)]
public sealed class TopLogprobsTests
{
    // All forms subtract one double from the same float; only the sums of the exponentials differ, by float rounding.
    private const float Tolerance = 1e-5f;

    public static TheoryData<Form, int, int> Shapes()
    {
        TheoryData<Form, int, int> data = [];
        foreach (Form form in SamplingDevice.Forms)
        {
            data.Add(form, 1, 0);
            data.Add(form, 5, 5);
            data.Add(form, 63, 20);
            data.Add(form, 1000, 1);
            data.Add(form, 1000, 20);
            data.Add(form, 1000, 1000);
            data.Add(form, 32_003, 5);
            data.Add(form, 32_003, 600);
            data.Add(form, 8001, 8001);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rows_AnyCount_AgreeWithTheReference(Form form, int vocabulary, int top)
    {
        const int RowCount = 5;
        using SamplingDevice device = new(form);
        float[][] logits = [.. Enumerable.Range(0, RowCount).Select(i => SamplingDevice.Logits(vocabulary, i))];
        if (vocabulary > 100)
        {
            Array.ForEach(logits, row => row.AsSpan(30, 70).Fill(float.NegativeInfinity));
        }

        int[] tokens = [.. Enumerable.Range(0, RowCount).Select(i => i * 7 % vocabulary)];
        tokens[3] = -1;
        var (ranks, ids, logprobs) = device.Top(logits, tokens, top);
        for (int i = 0; i < RowCount; i++)
        {
            int[] expectedIds = [.. Enumerable.Repeat(-7, 1 + top)];
            float[] expected = [.. Enumerable.Repeat(float.NaN, 1 + top)];
            Assert.Equal(TopLogprobsReference.Row(logits[i], tokens[i], expectedIds, expected), ranks[i]);
            Assert.Equal(expectedIds, ids[i]);
            for (int j = 0; j <= top; j++)
            {
                Assert.Equal(expected[j], logprobs[i][j], Tolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Row_Ties_OrderByIdAndCountInRank(Form form)
    {
        using SamplingDevice device = new(form);
        float[] logits = new float[200];
        logits[150] = logits[20] = logits[90] = 2;
        var (ranks, ids, logprobs) = device.Top([logits], [150], 5);
        Assert.Equal(3, ranks[0]);
        Assert.Equal([150, 20, 90, 150, 0, 1], ids[0]);
        double normalizer = Math.Log((3 * Math.Exp(2)) + 197);
        Assert.Equal((float)(2 - normalizer), logprobs[0][0], Tolerance);
        Assert.Equal((float)-normalizer, logprobs[0][5], Tolerance);
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Row_OfEquals_ListsThemById(Form form)
    {
        using SamplingDevice device = new(form);
        float[] logits = new float[5000];
        var (ranks, ids, _) = device.Top([logits], [4321], 3000);
        Assert.Equal(5000, ranks[0]);
        Assert.Equal([4321, .. Enumerable.Range(0, 3000)], ids[0]);
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Row_NotFinite_IsNaN(Form form)
    {
        using SamplingDevice device = new(form);
        float[][] logits = [SamplingDevice.Logits(500, 3), SamplingDevice.Logits(500, 4), [.. Enumerable.Repeat(float.NegativeInfinity, 500)]];
        logits[0][77] = float.NaN;
        logits[1][499] = float.PositiveInfinity;
        var (ranks, ids, logprobs) = device.Top(logits, [4, 5, 6], 3);
        Assert.Equal([0, 0, 0], ranks);
        Assert.All(ids.SelectMany(row => row), id => Assert.InRange(id, 0, 499));
        Assert.All(logprobs.SelectMany(row => row), logprob => Assert.True(float.IsNaN(logprob)));
    }
}
