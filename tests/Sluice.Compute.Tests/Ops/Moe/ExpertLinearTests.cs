using Sluice.Compute.Ops.Moe;

namespace Sluice.Compute.Tests.Ops.Moe;

public sealed class ExpertLinearTests
{
    private const int Experts = 7;

    public static TheoryData<DType, int, int, int, int> Shapes()
    {
        TheoryData<DType, int, int, int, int> data = [];
        foreach (DType type in new[] { DType.Float32, DType.Float16, DType.BFloat16 })
        {
            foreach (int tokens in new[] { 1, 2, 5, 30, 200 })
            {
                data.Add(type, tokens, 1, 33, 70);
                data.Add(type, tokens, 3, 64, 48);
            }

            // More rows of an expert than are gathered at once.
            data.Add(type, 3000, 4, 16, 16);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void ExpertLinear_AnyShape_HasTheBitsOfTheReference(DType type, int tokens, int chosen, int inFeatures, int outFeatures)
    {
        using TestTensors tensors = new(seed: tokens + inFeatures);
        ExpertWeights weights = Weights(tensors, outFeatures, inFeatures, type);
        Tensor bias = tensors.Random(Experts, outFeatures);
        Tensor experts = Choice(tensors, tokens, chosen);
        foreach (int inputRows in new[] { tokens, tokens * chosen })
        {
            Tensor input = tensors.Random(inputRows, inFeatures, gap: 5);
            Tensor expected = tensors.Backend.Allocate(tokens * chosen, outFeatures, DType.Float32);
            Tensor actual = tensors.Random(tokens * chosen, outFeatures, gap: 3);
            Tensor untouched = tensors.Copy(actual with { Columns = actual.RowStride });
            foreach (Tensor? addend in new Tensor?[] { null, bias })
            {
                ExpertLinearReference.Run(expected, input, weights, addend, experts);
                tensors.Backend.ExpertLinear(actual, input, weights, addend, experts);
                TestTensors.AssertSameBits(expected, actual);
            }

            for (int row = 0; row < actual.Rows - 1; row++)
            {
                TestTensors.AssertSameBits(
                    TestTensors.Row(untouched, row)[outFeatures..], TestTensors.Row(actual with { Columns = actual.RowStride }, row)[outFeatures..], row);
            }
        }
    }

    [Fact]
    public void ExpertLinear_ExpertThatNobodyChose_IsNotRead()
    {
        using TestTensors tensors = new(seed: 5);
        Weight[] matrices = [.. Enumerable.Range(0, 3).Select(_ => tensors.RandomWeight(16, 8, DType.BFloat16).Weight)];

        // No memory behind it: reading it would end the process.
        matrices[1] = new Weight(16, 8, DType.BFloat16, 0, 0);
        Tensor output = tensors.Backend.Allocate(4, 16, DType.Float32);

        tensors.Backend.ExpertLinear(output, tensors.Random(4, 8), new ExpertWeights(matrices), null, tensors.Integers(0, 2, 2, 0) with { Rows = 4, Columns = 1, RowStride = 1 });

        Assert.All(TestTensors.Row(output, 3).ToArray(), static value => Assert.True(value != 0));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(Experts)]
    public void ExpertLinear_NumberOfNoExpert_IsRefused(int expert)
    {
        using TestTensors tensors = new(seed: 5);
        ExpertWeights weights = Weights(tensors, 16, 8, DType.Float32);
        Tensor output = tensors.Backend.Allocate(2, 16, DType.Float32);

        Assert.Throws<ArgumentOutOfRangeException>(
            () => tensors.Backend.ExpertLinear(output, tensors.Random(1, 8), weights, null, tensors.Integers(0, expert)));
    }

    [Fact]
    public void ExpertWeights_DifferentShapes_AreRefused()
    {
        using TestTensors tensors = new(seed: 5);
        Weight[] matrices = [tensors.RandomWeight(16, 8, DType.Float32).Weight, tensors.RandomWeight(16, 9, DType.Float32).Weight];

        Assert.Throws<ArgumentException>(() => new ExpertWeights(matrices));
        Assert.Throws<ArgumentException>(() => new ExpertWeights([]));
    }

    [Theory]
    [InlineData(1, 1, 5, false)]
    [InlineData(3, 4, 37, true)]
    [InlineData(150, 8, 500, false)]
    [InlineData(150, 8, 500, true)]
    public void WeightedSum_AnyShape_HasTheBitsOfTheReference(int rows, int count, int columns, bool accumulate)
    {
        using TestTensors tensors = new(seed: columns);
        Tensor input = tensors.Random(rows * count, columns, gap: 1);
        Tensor weights = tensors.Random(rows, count);
        Tensor actual = tensors.Random(rows, columns, gap: 3);
        Tensor expected = tensors.Copy(actual);
        double first = accumulate ? TestTensors.Row(actual, 0)[0] : 0;
        for (int i = 0; i < count; i++)
        {
            first += (double)TestTensors.Row(weights, 0)[i] * TestTensors.Row(input, i)[0];
        }

        WeightedSumReference.Run(expected, input, weights, accumulate);
        tensors.Backend.WeightedSum(actual, input, weights, accumulate);

        TestTensors.AssertSameBits(expected, actual);
        Assert.Equal(first, TestTensors.Row(actual, 0)[0], 1e-5);
    }

    private static ExpertWeights Weights(TestTensors tensors, int rows, int columns, DType type) =>
        new([.. Enumerable.Range(0, Experts).Select(_ => tensors.RandomWeight(rows, columns, type).Weight)]);

    // Different experts for each token, the last expert for none.
    private static Tensor Choice(TestTensors tensors, int tokens, int chosen)
    {
        Random random = new(9);
        int[] ids = [.. Enumerable.Range(0, tokens).SelectMany(_ => Enumerable.Range(0, Experts - 1).OrderBy(_ => random.Next()).Take(chosen))];
        return tensors.Integers(ids) with { Rows = tokens, Columns = chosen, RowStride = chosen };
    }
}
