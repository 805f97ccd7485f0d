using Sluice.Compute.Ops.Sampling;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Sampling;

[Collection(Gpu.Collection)]
public sealed class AdjustLogitsTests
{
    public static TheoryData<Form, int> Shapes()
    {
        TheoryData<Form, int> data = [];
        foreach (Form form in SamplingDevice.Forms)
        {
            foreach (int vocabulary in (ReadOnlySpan<int>)[1, 31, 64, 1001, 32_003])
            {
                data.Add(form, vocabulary);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Rows_EverythingAtOnce_HaveTheBitsOfTheReference(Form form, int vocabulary)
    {
        const int RowCount = 37;
        using SamplingDevice device = new(form);
        var random = new Random(vocabulary);
        int words = (vocabulary + 31) / 32;
        int[] masks = [.. Enumerable.Range(0, 3 * words).Select(_ => random.Next(4) switch { 0 => 0, 1 => -1, _ => random.Next(int.MinValue, int.MaxValue) })];
        int[] counts = [.. Enumerable.Range(0, 4 * vocabulary)
            .Select(_ => random.Next(6) == 0 ? random.Next(4) | (random.Next(2) == 0 ? TokenCount.InPrompt : 0) : 0)];
        List<LogitEdit> edits = [];
        LogitRow[] rows = new LogitRow[RowCount];
        for (int i = 0; i < RowCount; i++)
        {
            // Some rows have more edits than a block has threads, and several of one token: these are added in their order.
            int start = edits.Count;
            int count = i % 3 == 2 ? 0 : random.Next(i % 5 == 0 ? 700 : 9);
            for (int e = 0; e < count; e++)
            {
                float value = random.Next(9) == 0 ? float.NegativeInfinity : (random.NextSingle() - 0.5f) * 30;
                edits.Add(new LogitEdit(random.Next(e % 2 == 0 ? vocabulary : Math.Min(vocabulary, 11)), value));
            }

            rows[i] = new LogitRow((i % 4) - 1, (i % 5) - 1, start, count, 1 + (i * 0.03f), (i * 0.11f) - 0.7f, 0.9f - (i * 0.07f));
        }

        float[][] logits = [.. Enumerable.Range(0, RowCount).Select(i => SamplingDevice.Logits(vocabulary, i))];
        float[] expected = [];
        for (int i = 0; i < RowCount; i++)
        {
            float[] row = [.. logits[i]];
            AdjustLogitsReference.Row(
                row,
                rows[i],
                rows[i].MaskRow < 0 ? [] : masks.AsSpan(rows[i].MaskRow * words, words),
                [.. edits.Slice(rows[i].EditStart, rows[i].EditCount)],
                rows[i].CountRow < 0 ? [] : counts.AsSpan(rows[i].CountRow * vocabulary, vocabulary));
            expected = [.. expected, .. row];
        }

        Assert.Equal(expected, device.Adjust(logits, rows, masks, [.. edits], counts));
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_WithPenalties_FollowTheDefinition(Form form)
    {
        using SamplingDevice device = new(form);
        float[] logits = [2, -2, 2, -2, 2, float.NegativeInfinity];
        int[] counts = [0, TokenCount.InPrompt, TokenCount.InPrompt | 3, 1, 2, 1];
        float[] adjusted = device.Adjust([logits], [new LogitRow(-1, 0, 0, 0, 2, 0.5f, 0.25f)], [], [], counts);
        Assert.Equal([2, -4, 1 - 1.5f - 0.25f, -4 - 0.5f - 0.25f, 1 - 1 - 0.25f, float.NegativeInfinity], adjusted);
    }

    [Theory]
    [MemberData(nameof(SamplingDevice.FormData), MemberType = typeof(SamplingDevice))]
    public void Rows_WithNothingToDo_StayAsTheyAre(Form form)
    {
        using SamplingDevice device = new(form);
        float[] logits = SamplingDevice.Logits(500, 1);
        Assert.Equal(logits, device.Adjust([logits], [new LogitRow(-1, -1, 0, 0, 1, 0, 0)], [], [], []));
    }
}
