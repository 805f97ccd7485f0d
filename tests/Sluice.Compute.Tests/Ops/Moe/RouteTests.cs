using Sluice.Compute.Ops.Moe;

namespace Sluice.Compute.Tests.Ops.Moe;

public sealed class RouteTests
{
    private const int Cases = 10_000;

    // A few roundings of numbers up to 1.
    private const double WeightTolerance = 1e-6;

    /// <summary>The rules of released families; Q is what the logits are rounded to, so that equals are common.</summary>
    public static TheoryData<string, float> Families()
    {
        TheoryData<string, float> data = [];
        foreach (string family in new[] { "all", "unnormalized", "group maximum", "two best", "one group", "few" })
        {
            data.Add(family, 0);
            data.Add(family, 0.5f);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Route_RandomTokens_HasTheBitsOfTheReference(string family, float quantum)
    {
        (Routing routing, bool corrected) = RoutingOf(family);
        using TestTensors tensors = new(seed: 31);
        Tensor logits = tensors.Random(Cases, routing.Experts, gap: 3, scale: 6);
        Tensor correction = tensors.Random(1, routing.Experts, scale: 0.5f);
        if (quantum > 0)
        {
            Quantize(logits, quantum);
            Quantize(correction, quantum);
        }

        Tensor expectedIds = Ids(tensors, Cases, routing);
        Tensor expectedWeights = tensors.Backend.Allocate(Cases, routing.ChosenExperts, DType.Float32);
        Tensor ids = Ids(tensors, Cases, routing);
        Tensor weights = tensors.Backend.Allocate(Cases, routing.ChosenExperts, DType.Float32);

        RouteReference.Run(expectedIds, expectedWeights, logits, corrected ? correction : null, routing);
        tensors.Backend.Route(ids, weights, logits, corrected ? correction : null, routing);

        Assert.Equal(Read(tensors, expectedIds), Read(tensors, ids));
        TestTensors.AssertSameBits(expectedWeights, weights);
    }

    [Fact]
    public void Reference_TwoBestOfAGroup_IsTheDefinition()
    {
        // Groups by the sum of their two best corrected scores: 0.9 + 0.1, 0.6 + 0.5, 0.7 + 0.3: the second; then the first of equals.
        float[] scores = [0.9f, 0.1f, 0.6f, 0.5f, 0.7f, 0.3f];
        float[] logits = [.. scores.Select(score => MathF.Log(score / (1 - score)))];
        var routing = new Routing(6, 2)
        {
            Score = RoutingScore.Sigmoid, Groups = 3, ChosenGroups = 1, GroupScore = GroupScore.SumOfTwoBest, Normalize = true, Scale = 2.5f,
        };

        (int[] ids, float[] weights) = Reference(logits, null, routing);

        Assert.Equal([2, 3], ids);
        Assert.Equal(2.5 * 0.6 / 1.1, weights[0], WeightTolerance);
        Assert.Equal(2.5 * 0.5 / 1.1, weights[1], WeightTolerance);
    }

    [Fact]
    public void Reference_BestOfAGroup_IsTheDefinition()
    {
        float[] probabilities = [0.30f, 0.01f, 0.20f, 0.19f, 0.25f, 0.05f];
        float[] logits = [.. probabilities.Select(static probability => MathF.Log(probability))];
        var routing = new Routing(6, 3) { Groups = 3, ChosenGroups = 2, Scale = 16 };

        (int[] ids, float[] weights) = Reference(logits, null, routing);

        Assert.Equal([0, 4, 5], ids);
        Assert.Equal(16 * 0.30, weights[0], 16 * WeightTolerance);
        Assert.Equal(16 * 0.25, weights[1], 16 * WeightTolerance);
        Assert.Equal(16 * 0.05, weights[2], 16 * WeightTolerance);
    }

    [Fact]
    public void Reference_Correction_DecidesTheChoiceAndNotTheWeight()
    {
        float[] logits = [2, 1, 0, -1];
        var routing = new Routing(4, 1) { Score = RoutingScore.Sigmoid };

        (int[] ids, float[] weights) = Reference(logits, [0, 0, 0, 1], routing);

        Assert.Equal([3], ids);
        Assert.Equal(1 / (1 + Math.Exp(1)), weights[0], WeightTolerance);
    }

    [Fact]
    public void Reference_AllLower_TakesNoExpertOfAClosedGroup()
    {
        // Corrected scores below zero in the open group: experts of closed groups still must not be taken.
        var routing = new Routing(4, 2) { Score = RoutingScore.Sigmoid, Groups = 2, ChosenGroups = 1 };

        (int[] ids, _) = Reference([0, 0, 0, 0], [-3, -2, -1, -9], routing);

        Assert.Equal([2, 3], ids);
    }

    [Fact]
    public void Route_SoftmaxOverTheChosen_IsNormalizedSoftmaxOverAll()
    {
        float[] logits = [3, -1, 2.5f, 0, 1, 2];
        (int[] ids, float[] weights) = Reference(logits, null, new Routing(6, 3) { Normalize = true });

        double sum = Math.Exp(3) + Math.Exp(2.5) + Math.Exp(2);
        Assert.Equal([0, 2, 5], ids);
        Assert.Equal(Math.Exp(3) / sum, weights[0], WeightTolerance);
        Assert.Equal(Math.Exp(2.5) / sum, weights[1], WeightTolerance);
        Assert.Equal(Math.Exp(2) / sum, weights[2], WeightTolerance);
    }

    [Theory]
    [InlineData(RoutingScore.Softmax)]
    [InlineData(RoutingScore.Sigmoid)]
    public void Route_NotANumber_StillChoosesDifferentExperts(RoutingScore score)
    {
        using TestTensors tensors = new(seed: 2);
        var routing = new Routing(20, 4) { Score = score, Groups = 4, ChosenGroups = 2, GroupScore = GroupScore.SumOfTwoBest, Normalize = true };
        Tensor logits = tensors.Random(3, 20);
        TestTensors.Row(logits, 0).Fill(float.NaN);
        TestTensors.Row(logits, 1)[7] = float.NaN;
        TestTensors.Row(logits, 2)[7] = float.PositiveInfinity;
        Tensor ids = Ids(tensors, 3, routing);
        Tensor weights = tensors.Backend.Allocate(3, 4, DType.Float32);

        tensors.Backend.Route(ids, weights, logits, null, routing);

        foreach (int[] row in Read(tensors, ids).Chunk(4))
        {
            Assert.Equal(4, row.Distinct().Count());
            Assert.All(row, static id => Assert.InRange(id, 0, 19));
        }
    }

    [Theory]
    [InlineData(8, 9, 1, 1, "9 experts of a token")]
    [InlineData(8, 2, 3, 1, "not 3 equal groups")]
    [InlineData(8, 2, 2, 3, "3 of 2 groups")]
    [InlineData(8, 5, 2, 1, "cannot come from 1 groups of 4")]
    [InlineData(8, 1, 8, 1, "no two best")]
    public void Contradiction_NumbersThatDoNotFit_NamesTheRule(int experts, int chosen, int groups, int chosenGroups, string named)
    {
        var routing = new Routing(experts, chosen) { Groups = groups, ChosenGroups = chosenGroups, GroupScore = GroupScore.SumOfTwoBest };

        Assert.Contains(named, routing.Contradiction(), StringComparison.Ordinal);
    }

    private static (Routing Routing, bool Corrected) RoutingOf(string family) => family switch
    {
        "all" => (new Routing(128, 8) { Normalize = true }, false),
        "unnormalized" => (new Routing(61, 4) { Scale = 1.5f }, false),
        "group maximum" => (new Routing(160, 6) { Groups = 8, ChosenGroups = 3, Scale = 16 }, false),
        "two best" => (new Routing(256, 8)
        {
            Score = RoutingScore.Sigmoid, Groups = 8, ChosenGroups = 4, GroupScore = GroupScore.SumOfTwoBest, Normalize = true, Scale = 2.5f,
        }, true),
        "one group" => (new Routing(128, 8) { Score = RoutingScore.Sigmoid, GroupScore = GroupScore.SumOfTwoBest, Normalize = true }, true),
        _ => (new Routing(5, 5) { Normalize = true }, false),
    };

    private static (int[] Ids, float[] Weights) Reference(float[] logits, float[]? correction, Routing routing)
    {
        using TestTensors tensors = new(seed: 1);
        Tensor row = Row(tensors, logits);
        Tensor? bias = correction is null ? null : Row(tensors, correction);
        Tensor ids = Ids(tensors, 1, routing);
        Tensor weights = tensors.Backend.Allocate(1, routing.ChosenExperts, DType.Float32);
        RouteReference.Run(ids, weights, row, bias, routing);
        return (Read(tensors, ids), TestTensors.Row(weights, 0).ToArray());
    }

    private static Tensor Row(TestTensors tensors, float[] values)
    {
        Tensor row = tensors.Backend.Allocate(1, values.Length, DType.Float32);
        tensors.Backend.Upload<float>(row, values);
        return row;
    }

    private static void Quantize(Tensor tensor, float quantum)
    {
        for (int row = 0; row < tensor.Rows; row++)
        {
            foreach (ref float value in TestTensors.Row(tensor, row))
            {
                value = MathF.Round(value / quantum) * quantum;
            }
        }
    }

    private static Tensor Ids(TestTensors tensors, int rows, Routing routing) =>
        tensors.Backend.Allocate(rows, routing.ChosenExperts, DType.Int32);

    private static int[] Read(TestTensors tensors, Tensor ids)
    {
        int[] values = new int[ids.Rows * ids.Columns];
        tensors.Backend.Download<int>(ids, values);
        return values;
    }
}
