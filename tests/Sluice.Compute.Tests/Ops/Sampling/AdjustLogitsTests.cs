using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Tests.Ops.Sampling;

public sealed class AdjustLogitsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(1001)]
    public void Row_EverythingAtOnce_SameBitsAsReference(int vocabulary)
    {
        var random = new Random(vocabulary);
        float[] logits = SamplingRows.Logits(vocabulary, 9);
        int[] mask = new int[(vocabulary + 31) / 32];
        int[] counts = new int[vocabulary];
        for (int i = 0; i < vocabulary; i++)
        {
            mask[i / 32] |= (random.Next(4) > 0 ? 1 : 0) << (i % 32);
            counts[i] = random.Next(8) == 0 ? random.Next(4) | (random.Next(2) == 0 ? TokenCount.InPrompt : 0) : 0;
        }

        mask[0] = vocabulary > 64 ? 0 : mask[0];
        mask[^1] = -1;
        LogitEdit[] edits = [new(0, 5), new(vocabulary - 1, float.NegativeInfinity), new(vocabulary / 2, -2.5f)];
        LogitRow row = new(0, 0, 0, edits.Length, 1.3f, 0.4f, -0.7f);
        float[] expected = logits.ToArray();
        AdjustLogitsReference.Row(expected, row, mask, edits, counts);
        float[] actual = logits.ToArray();
        AdjustLogitsSimd.Row(actual, row, mask, edits, counts);
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Row_Penalties_FollowTheDefinition()
    {
        float[] logits = [2, -2, 2, -2, 2, float.NegativeInfinity];
        int[] counts = [0, TokenCount.InPrompt, TokenCount.InPrompt | 3, 1, 2, 1];
        LogitRow row = new(-1, 0, 0, 0, 2, 0.5f, 0.25f);
        AdjustLogitsSimd.Row(logits, row, [], [], counts);
        Assert.Equal([2, -4, 1 - 1.5f - 0.25f, -4 - 0.5f - 0.25f, 1 - 1 - 0.25f, float.NegativeInfinity], logits);
    }
}
