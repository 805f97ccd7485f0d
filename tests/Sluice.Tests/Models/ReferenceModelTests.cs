using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>Every dense family against what transformers computed for a tiny checkpoint of it in float32.</summary>
public sealed class ReferenceModelTests
{
    // Sums of a few hundred float32 products in another order differ by 1e-5 or so; a wrong scale, window or angle by far more.
    private const double Tolerance = 2e-3;

    // The reference's own choice is only firm where the two best logits are further apart than the tolerance.
    private const double FirmMargin = 0.01;
    private const int MaxBatchedTokens = 512;

    [Theory]
    [MemberData(nameof(TestData.DenseReferenceModels), MemberType = typeof(TestData))]
    public void Forward_ReferenceModel_MatchesTransformers(string name)
    {
        string folder = TestData.ReferenceModel(name);
        using var backend = new CpuBackend();
        LoadedModel loaded = Load(folder, backend);
        var runner = new PagedRunner(backend, loaded.Model, blockCount: 64);
        int vocabulary = loaded.Config.VocabularySize;
        foreach (ExpectedCase expected in ExpectedCase.Read(folder))
        {
            var sequence = new PagedRunner.Sequence();
            float[] prompt = runner.Step((sequence, expected.Prompt))[0];
            for (int i = 1; i < expected.Prompt.Length; i++)
            {
                double logprob = LogitMath.Logprob(LogitMath.Row(prompt, i - 1, vocabulary), expected.Prompt[i]);
                Assert.Equal(expected.PromptLogprobs[i], logprob, Tolerance);
            }

            ReadOnlySpan<float> row = LogitMath.Row(prompt, expected.Prompt.Length - 1, vocabulary);
            for (int i = 0; i < expected.LastLogits.Length; i++)
            {
                Assert.Equal(expected.LastLogits[i], row[i], Tolerance);
            }

            foreach (ExpectedStep step in expected.Steps)
            {
                CheckStep(step, row);
                row = runner.Step((sequence, [step.Token]))[0];
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestData.DenseReferenceModels), MemberType = typeof(TestData))]
    public void Forward_InChunksOrAmongOthers_ChangesNoBit(string name)
    {
        string folder = TestData.ReferenceModel(name);
        using var backend = new CpuBackend();
        LoadedModel loaded = Load(folder, backend);
        var runner = new PagedRunner(backend, loaded.Model, blockCount: 128);
        int[][] prompts = [.. ExpectedCase.Read(folder).Select(expected => expected.Prompt)];
        float[][] whole = [.. prompts.Select(prompt => runner.Step((new PagedRunner.Sequence(), prompt))[0])];

        for (int i = 0; i < prompts.Length; i++)
        {
            var sequence = new PagedRunner.Sequence();
            float[] chunked = [.. prompts[i].Chunk(7).SelectMany(chunk => runner.Step((sequence, chunk))[0])];
            AssertSameBits(whole[i], chunked);
        }

        float[][] mixed = RunMixed(runner, prompts);
        for (int i = 0; i < prompts.Length; i++)
        {
            AssertSameBits(whole[i], mixed[i]);
        }
    }

    // All prompts at once, each with its own chunk size (one of them a token at a time), until each is done.
    private static float[][] RunMixed(PagedRunner runner, int[][] prompts)
    {
        int[] chunkSizes = [1, 3, 5, 11, 29];
        var sequences = prompts.Select(_ => new PagedRunner.Sequence()).ToArray();
        var results = prompts.Select(_ => new List<float>()).ToArray();
        while (true)
        {
            int[] active = [.. Enumerable.Range(0, prompts.Length).Where(i => sequences[i].Length < prompts[i].Length)];
            if (active.Length == 0)
            {
                return [.. results.Select(result => result.ToArray())];
            }

            float[][] logits = runner.Step([.. active.Select(i =>
                (sequences[i], prompts[i].Skip(sequences[i].Length).Take(chunkSizes[i]).ToArray()))]);
            for (int i = 0; i < active.Length; i++)
            {
                results[active[i]].AddRange(logits[i]);
            }
        }
    }

    private static void CheckStep(ExpectedStep step, ReadOnlySpan<float> row)
    {
        for (int i = 0; i < step.TopIds.Length; i++)
        {
            Assert.Equal(step.TopLogprobs[i], LogitMath.Logprob(row, step.TopIds[i]), Tolerance);
        }

        if (step.Margin > FirmMargin)
        {
            Assert.Equal(step.Token, LogitMath.ArgMax(row));
        }
    }

    private static void AssertSameBits(float[] expected, float[] actual) =>
        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)));

    private static LoadedModel Load(string folder, CpuBackend backend) =>
        ModelLoader.Load(new EngineOptions { Model = folder }, backend, MaxBatchedTokens, progress: null);
}
