using Sluice.Compute.Ops.Sampling;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Sampling;

[Collection(Gpu.Collection)]
public sealed class SampleTokensTests
{
    private static readonly SamplingRow Plain = new(1, 0, 0, 1, 11, 22, 0, -1, -1);

    // Temperature, min-p, top-k, top-p.
    private static readonly (float, float, int, float)[] Filters =
    [
        (0, 0, 0, 1), (1, 0, 0, 1), (0.3f, 0, 0, 1), (2, 0, 5, 1), (0.7f, 0, 50, 0.9f), (1, 0, 700, 1), (1, 0, 0, 0.95f), (2, 0, 0, 0.999f),
        (1, 0, 0, 1e-6f), (1, 0.05f, 0, 1), (1.3f, 0.01f, 40, 0.8f), (1, 1, 0, 1), (0.01f, 0.02f, 0, 0.5f), (1, 0, 5000, 1), (2, 0, 9000, 0.8f),
    ];

    public static TheoryData<Form, int> Shapes()
    {
        TheoryData<Form, int> data = [];
        foreach (Form form in (ReadOnlySpan<Form>)[Form.Simd, Form.CudaBFloat16])
        {
            foreach (int vocabulary in (ReadOnlySpan<int>)[1, 7, 64, 129, 1000, 32_003, 151_936])
            {
                data.Add(form, vocabulary);
            }
        }

        return data;
    }

    public static TheoryData<Form, float> NotFiniteValues()
    {
        TheoryData<Form, float> data = [];
        foreach (Form form in SamplingDevice.Forms)
        {
            data.Add(form, float.NaN);
            data.Add(form, -float.NaN);
            data.Add(form, float.PositiveInfinity);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Row_GreedyTie_TakesLowestId(Form form)
    {
        using SamplingDevice device = new(form);
        float[] logits = new float[1000];
        logits[900] = logits[77] = logits[78] = 5;
        Assert.Equal([77, 77], device.Sample(logits, Plain with { Temperature = 0 }, Plain with { TopK = 1 }));
        Assert.Equal([0], device.Sample([-0.0f, 0.0f], Plain with { Temperature = 0 }));
    }

    [Theory]
    [MemberData(nameof(NotFiniteValues))]
    public void Row_NotFinite_SaysSo(Form form, float value)
    {
        using SamplingDevice device = new(form);
        foreach (int position in (ReadOnlySpan<int>)[0, 63, 64, 127, 128, 500, 998])
        {
            float[] logits = SamplingDevice.Logits(999, 1);
            logits[position] = value;
            Assert.Equal(
                [SamplingRow.NotFinite, SamplingRow.NotFinite, SamplingRow.NotFinite],
                device.Sample(logits, Plain, Plain with { Temperature = 0 }, Plain with { TopK = 5, TopP = 0.5f }));
        }
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Row_EverythingForbidden_SaysSo(Form form)
    {
        using SamplingDevice device = new(form);
        SamplingRow[] rows = [Plain, Plain with { Temperature = 0 }, Plain with { TopP = 0.5f, TopK = 3, MinP = 0.1f }];
        float[] logits = [.. Enumerable.Repeat(float.NegativeInfinity, 130)];
        Assert.Equal(Enumerable.Repeat(SamplingRow.NothingPossible, 3), device.Sample(logits, rows));
        logits[100] = -1e30f;
        Assert.Equal([100, 100, 100], device.Sample(logits, rows));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rows_AnyFilters_AgreeWithTheReference(Form form, int vocabulary)
    {
        // The draws differ only when the random number falls within float rounding of a boundary; none of these seeds does.
        using SamplingDevice device = new(form);
        int seeds = vocabulary > 100_000 ? 1 : 8;
        SamplingRow[] rows = new SamplingRow[Filters.Length * seeds];
        float[][] logits = new float[rows.Length][];
        for (int i = 0; i < rows.Length; i++)
        {
            (float temperature, float minP, int topK, float topP) = Filters[i % Filters.Length];
            rows[i] = new SamplingRow(temperature, minP, topK, topP, (uint)i, 7, (uint)i * 3, rows.Length - 1 - i, i % 2 == 0 ? i : -1);
            logits[i] = SamplingDevice.Logits(vocabulary, i);
            if (vocabulary > 100)
            {
                logits[i].AsSpan(10, 70).Fill(float.NegativeInfinity);
            }
        }

        int[] counts = [.. Enumerable.Repeat(TokenCount.InPrompt | 5, rows.Length * vocabulary)];
        SamplingDevice.Sampled actual = device.Sample(logits, rows, counts);
        for (int i = 0; i < rows.Length; i++)
        {
            int expected = SampleTokensReference.Row(logits[i], rows[i]);
            Assert.True(expected == actual.TokenIds[i], $"{rows[i]}: expected {expected}, got {actual.TokenIds[i]}");
            Assert.Equal(expected, actual.LastSampled[rows.Length - 1 - i]);
            if (i % 2 == 0)
            {
                counts[(i * vocabulary) + expected]++;
            }
        }

        Assert.Equal(counts, actual.Counts);
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_AloneAndInABatch_HaveTheSameTokens(Form form)
    {
        // Draws at random: 300 rows share a chip otherwise than one does, and no sum may depend on it.
        const int RowCount = 300;
        using SamplingDevice device = new(form);
        foreach (int vocabulary in (ReadOnlySpan<int>)[777, 12_001])
        {
            float[][] logits = [.. Enumerable.Range(0, RowCount).Select(i => SamplingDevice.Logits(vocabulary, i, spread: 1))];
            logits[5][6] = float.NaN;
            SamplingRow[] rows = new SamplingRow[RowCount];
            for (int i = 0; i < RowCount; i++)
            {
                (float temperature, float minP, int topK, float topP) = Filters[i % Filters.Length];
                rows[i] = new SamplingRow(temperature, minP, topK, topP, (uint)i, 3, (uint)i, i, -1);
            }

            SamplingDevice.Sampled together = device.Sample(logits, rows);
            Assert.Equal(together.TokenIds, device.Sample(logits, rows, gap: 0).TokenIds);
            Assert.Equal(SamplingRow.NotFinite, together.TokenIds[5]);
            Assert.Equal(0, together.LastSampled[5]);
            for (int i = 0; i < RowCount; i += 7)
            {
                Assert.Equal(together.TokenIds[i], device.Sample(logits[i], rows[i] with { Slot = 0 })[0]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_TopKTie_KeepLowestIds(Form form)
    {
        using SamplingDevice device = new(form);
        Assert.Equal([0, 1, 2], Draw(device, new float[300], Plain with { TopK = 3 }, 400).Keys.Order());
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_OfManyEquals_KeepLowestIds(Form form)
    {
        // More equals than the GPU sorts at once: which is the last that is kept follows from counting.
        using SamplingDevice device = new(form);
        float[] logits = [.. Enumerable.Repeat(1.5f, 7001)];
        Assert.InRange(Draw(device, logits, Plain with { TopK = 6000 }, 300).Keys.Max(), 5800, 5999);
        Assert.InRange(Draw(device, logits, Plain with { TopP = 0.5f }, 300).Keys.Max(), 3300, 3500);
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_TopPOnExactMass_KeepSmallestSet(Form form)
    {
        // Eight equal tokens of mass 1/8: half the mass is four of them, a little more is five.
        using SamplingDevice device = new(form);
        float[] logits = [.. Enumerable.Repeat(float.NegativeInfinity, 100)];
        logits.AsSpan(50, 8).Fill(1);
        Assert.Equal([50, 51, 52, 53], Draw(device, logits, Plain with { TopP = 0.5f }, 400).Keys.Order());
        Assert.Equal([50, 51, 52, 53, 54], Draw(device, logits, Plain with { TopP = 0.501f }, 400).Keys.Order());
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_TopKThenTopP_MassIsRelativeToTheKept(Form form)
    {
        // Ten equal tokens; of the four that top-k keeps, half the mass is two.
        using SamplingDevice device = new(form);
        Assert.Equal([0, 1], Draw(device, new float[10], Plain with { TopK = 4, TopP = 0.5f }, 200).Keys.Order());
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

    /// <summary>How often each token is drawn.</summary>
    internal static Dictionary<int, int> Draw(SamplingDevice device, float[] logits, SamplingRow row, int draws)
    {
        SamplingRow[] rows = [.. Enumerable.Range(0, draws).Select(counter => row with { Counter = (uint)counter })];
        return device.Sample(logits, rows).CountBy(token => token).ToDictionary();
    }
}
