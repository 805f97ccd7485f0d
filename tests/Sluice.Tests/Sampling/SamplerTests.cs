using Sluice.Requests;

namespace Sluice.Tests.Sampling;

public sealed class SamplerTests
{
    private const int Vocabulary = 300;

    // The logprob is the float difference of a float logit and a double sum: a few units in the last place of values below 16.
    private const float LogprobTolerance = 1e-5f;

    private static readonly SamplingParams Greedy = new() { Temperature = 0 };

    [Fact]
    public void Sample_Greedy_TakesTheLargestAndPublishesIt()
    {
        using var harness = new SamplerHarness(Vocabulary);
        harness.Sampler.AddSequence(3, Greedy, 0, [1], []);
        harness.Sampler.AddSequence(5, Greedy, 0, [1], []);
        Assert.Equal([9, 250], harness.Step([5, 3], Peak(9), Peak(250)));
        Assert.Equal([0, 0, 0, 250, 0, 9, 0, 0], harness.LastSampled());
    }

    [Fact]
    public void Sample_AllowedTokenIds_KeepsOnlyThose()
    {
        using var harness = new SamplerHarness(Vocabulary);
        Assert.Equal([299], harness.Run(Greedy with { AllowedTokenIds = [0, 31, 299] }, 0, [1], Peak(9, 299)));
    }

    [Fact]
    public void Sample_BadWords_ForbidTheLastTokenOfAWordOnly()
    {
        using var harness = new SamplerHarness(Vocabulary);
        SamplingParams sampling = Greedy with { BadWords = [[9], [10, 11, 12]] };

        // 9 never; 12 only right after 10 and 11, whatever the prompt was.
        Assert.Equal(
            [8, 12, 10, 12, 10, 11, 8, 12],
            harness.Run(
                sampling, 0, [10, 11], Peak(9, 8), Peak(12), Peak(10), Peak(12), Peak(10), Peak(11), Peak(12, 8), Peak(12)));
    }

    [Fact]
    public void Sample_MinTokens_ForbidsEosAndStopIdsUntilReached()
    {
        using var harness = new SamplerHarness(Vocabulary);
        SamplingParams sampling = Greedy with { MinTokens = 2, StopTokenIds = [7] };
        float[] row = Peak(SamplerHarness.Eos, 7, 100);
        Assert.Equal([100, 100, SamplerHarness.Eos], harness.Run(sampling, 0, [1], row, row, row));
    }

    [Fact]
    public void Sample_LogitBias_IsClampedToAHundred()
    {
        using var harness = new SamplerHarness(Vocabulary);
        float[] row = Peak(9);
        row[4] = row[9] - 99;
        row[5] = row[9] - 101;
        Assert.Equal([4], harness.Run(Greedy with { LogitBias = new Dictionary<int, float> { [4] = 100, [5] = 1000 } }, 0, [1], row));
        Assert.Equal([0], harness.Run(Greedy with { LogitBias = new Dictionary<int, float> { [9] = -100 } }, 0, [1], Peak(9)));
    }

    [Fact]
    public void Sample_Penalties_CountPromptAndOutputAsDefined()
    {
        using var harness = new SamplerHarness(4);

        // Token 0 stands in the prompt, so only the repetition penalty sees it.
        float[] row = [1, 0.6f, -1, -1];
        Assert.Equal([0, 0], harness.Run(Greedy with { PresencePenalty = 0.3f }, 0, [0], row, row));
        Assert.Equal([0, 1], harness.Run(Greedy with { PresencePenalty = 0.5f }, 0, [0], row, row));
        Assert.Equal([1], harness.Run(Greedy with { RepetitionPenalty = 2 }, 0, [0], row));
        Assert.Equal([0, 0, 1], harness.Run(Greedy with { FrequencyPenalty = 0.3f }, 0, [3], row, row, row));
    }

    [Fact]
    public void AddSequence_Resumed_ContinuesAsIfNeverRemoved()
    {
        float[][] rows = Enumerable.Range(0, 12).Select(seed => Random(seed)).ToArray();
        SamplingParams sampling = new()
        {
            Temperature = 0.9f, TopP = 0.95f, TopK = 60, MinP = 0.001f, RepetitionPenalty = 1.2f, FrequencyPenalty = 0.4f,
            PresencePenalty = 0.3f, MinTokens = 8, BadWords = [[5, 6]], LogitBias = new Dictionary<int, float> { [3] = 1 },
        };
        using var harness = new SamplerHarness(Vocabulary);
        int[] expected = harness.Run(sampling, 77, [1, 2, 3], rows);

        harness.Sampler.AddSequence(4, Greedy, 0, [1], []);
        harness.Sampler.AddSequence(2, sampling, 77, [1, 2, 3], []);
        List<int> actual = [];
        for (int i = 0; i < rows.Length; i++)
        {
            if (i == 6)
            {
                // Preempted, and back in another slot.
                harness.Sampler.RemoveSequence(2);
                harness.Sampler.AddSequence(6, sampling, 77, [1, 2, 3], actual.ToArray());
            }

            // In another batch each time.
            int slot = i < 6 ? 2 : 6;
            actual.Add(i % 2 == 0 ? harness.Step([4, slot], Random(99 + i), rows[i])[1] : harness.Step([slot], rows[i])[0]);
        }

        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Sample_Seeds_RepeatAndDiffer()
    {
        float[][] rows = Enumerable.Range(0, 20).Select(seed => Random(seed)).ToArray();
        using var harness = new SamplerHarness(Vocabulary);
        SamplingParams sampling = new() { Temperature = 1 };
        int[] first = harness.Run(sampling, 5, [1], rows);
        Assert.Equal(first, harness.Run(sampling, 5, [1], rows));
        Assert.NotEqual(first, harness.Run(sampling, 6, [1], rows));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Sample_BadRow_FailsAloneAndOthersKeepTheirBits(float value)
    {
        using var harness = new SamplerHarness(Vocabulary);
        SamplingParams sampling = new() { Temperature = 1, Logprobs = 2 };
        for (int slot = 0; slot < 3; slot++)
        {
            harness.Sampler.AddSequence(slot, sampling, slot, [1], []);
        }

        float[] bad = Random(4);
        bad[200] = value;
        int[] tokens = harness.Step([0, 1, 2], Random(1), bad, Random(2));
        Assert.Equal([false, true, false], Enumerable.Range(0, 3).Select(row => harness.Result.Error(row) is not null));
        Assert.Null(harness.Result.Logprobs(1));
        Assert.Equal(harness.Run(sampling, 0, [1], Random(1)), tokens[..1]);
        Assert.NotNull(harness.Result.Logprobs(0));
        Assert.Null(harness.Result.Error(0));
    }

    [Fact]
    public void Sample_EverythingForbidden_FailsThatRow()
    {
        using var harness = new SamplerHarness(Vocabulary);
        harness.Run(Greedy with { AllowedTokenIds = [9], BadWords = [[9]] }, 0, [1], Peak(9));
        Assert.Contains("No token is left", harness.Result.Error(0));
    }

    [Fact]
    public void Sample_Logprobs_AreOfTheRawLogits()
    {
        using var harness = new SamplerHarness(4);
        SamplingParams sampling = Greedy with { Logprobs = 2, LogitBias = new Dictionary<int, float> { [3] = 100 } };
        float[] row = [3, 2, 1, 0];
        Assert.Equal([3], harness.Run(sampling, 0, [1], row));
        PositionLogprobs logprobs = harness.Result.Logprobs(0)!;
        double sum = Math.Log(row.Sum(logit => Math.Exp(logit)));
        AssertLogprob(3, -sum, 4, logprobs.Chosen);
        Assert.Equal(2, logprobs.Top.Count);
        AssertLogprob(0, 3 - sum, 1, logprobs.Top[0]);
        AssertLogprob(1, 2 - sum, 2, logprobs.Top[1]);
    }

    [Fact]
    public void Sample_DifferentLogprobCounts_EachRowGetsItsOwn()
    {
        using var harness = new SamplerHarness(Vocabulary);
        int?[] wanted = [null, 0, 3, -1];
        for (int slot = 0; slot < wanted.Length; slot++)
        {
            harness.Sampler.AddSequence(slot, Greedy with { Logprobs = wanted[slot] }, 0, [1], []);
        }

        harness.Step([3, 0, 2, 1], Random(1), Random(2), Random(3), Random(4));
        Assert.Equal([Vocabulary, null, 3, 0], Enumerable.Range(0, 4).Select(row => harness.Result.Logprobs(row)?.Top.Count));
        Assert.Equal(1, harness.Result.Logprobs(2)!.Chosen.Rank);
        Assert.Equal(harness.Result.TokenId(2), harness.Result.Logprobs(2)!.Top[0].TokenId);
    }

    [Fact]
    public void ScorePrompt_Targets_GetLogprobAndRank()
    {
        using var harness = new SamplerHarness(4);
        PositionLogprobs?[] scores = harness.Score([2, 0], 1, [3, 2, 1, 0], [float.NaN, 0, 0, 0]);
        double sum = Math.Log(Math.Exp(3) + Math.Exp(2) + Math.Exp(1) + 1);
        AssertLogprob(2, 1 - sum, 3, scores[0]!.Chosen);
        AssertLogprob(0, 3 - sum, 1, Assert.Single(scores[0]!.Top));
        Assert.Null(scores[1]);
    }

    [Fact]
    public void Sample_MoreBiasesThanFitAtOnce_EachRowGetsItsOwn()
    {
        // 40 rows of 300 biases are more edits than are kept at a time: they go to the device in parts.
        const int Slots = 40;
        using var harness = new SamplerHarness(Vocabulary, Slots);
        float[][] rows = new float[Slots][];
        for (int slot = 0; slot < Slots; slot++)
        {
            var biases = Enumerable.Range(0, Vocabulary).ToDictionary(token => token, token => token == slot * 7 ? 50f : -token / 10f);
            harness.Sampler.AddSequence(slot, new SamplingParams { Temperature = 0, LogitBias = biases }, 0, [1], []);
            rows[slot] = Random(slot);
        }

        Assert.Equal(Enumerable.Range(0, Slots).Select(slot => slot * 7), harness.Step([.. Enumerable.Range(0, Slots)], rows));
    }

    [Fact]
    public void Sample_SteadyState_AllocatesNothing()
    {
        using var harness = new SamplerHarness(Vocabulary);
        SamplingParams sampling = new()
        {
            Temperature = 0.8f, TopP = 0.9f, TopK = 40, RepetitionPenalty = 1.1f, MinTokens = 1000, BadWords = [[5, 6]],
            LogitBias = new Dictionary<int, float> { [3] = 1 },
        };
        harness.Sampler.AddSequence(0, sampling, 1, [1], []);
        Assert.Equal(0, harness.AllocatedBytesOfSteps(Random(1), 20));
    }

    private static void AssertLogprob(int token, double logprob, int rank, TokenLogprob actual)
    {
        Assert.Equal((token, rank), (actual.TokenId, actual.Rank));
        Assert.Equal((float)logprob, actual.Logprob, LogprobTolerance);
    }

    /// <summary>A row whose largest logits stand at these tokens, in this order.</summary>
    private static float[] Peak(params int[] tokens)
    {
        float[] row = new float[Vocabulary];
        for (int i = 0; i < tokens.Length; i++)
        {
            row[tokens[i]] = 10 - i;
        }

        return row;
    }

    private static float[] Random(int seed)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, Vocabulary).Select(_ => (float)((random.NextDouble() * 8) - 4)).ToArray();
    }
}
