using System.Text.Json;
using Sluice.Compute.Cpu;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>The two really trained models: their text, and how well they predict a text that they were not trained on.</summary>
public sealed class TrainedModelTests
{
    private const double LogprobTolerance = 2e-3;
    private const double MeanTolerance = 1e-3;
    private const double FirmMargin = 0.01;

    [Fact]
    public void Forward_Storyteller_ContinuesAsTransformersDoes()
    {
        using var backend = new CpuBackend();
        LoadedModel loaded = Load(TestData.Storyteller, backend);
        var runner = new PagedRunner(backend, loaded.Model, blockCount: 512);
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Storyteller, "expected.json")));
        foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
        {
            var sequence = new PagedRunner.Sequence();
            float[] logits = runner.Step((sequence, ExpectedCase.Integers(item.GetProperty("ids"))))[0];
            foreach (JsonElement step in item.GetProperty("steps").EnumerateArray())
            {
                int token = step.GetProperty("token").GetInt32();
                ReadOnlySpan<float> row = logits.AsSpan(logits.Length - loaded.Config.VocabularySize);
                Assert.Equal(step.GetProperty("logprob").GetDouble(), LogitMath.Logprob(row, token), LogprobTolerance);
                if (step.GetProperty("margin").GetDouble() > FirmMargin)
                {
                    Assert.Equal(token, LogitMath.ArgMax(row));
                }

                logits = runner.Step((sequence, [token]))[0];
            }
        }
    }

    [Fact]
    public void Forward_Storyteller_PredictsHeldOutTextAsWell()
    {
        using var backend = new CpuBackend();
        LoadedModel loaded = Load(TestData.Storyteller, backend);
        var runner = new PagedRunner(backend, loaded.Model, blockCount: 64);
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Storyteller, "expected.json")));
        int[] ids = ExpectedCase.Integers(expected.RootElement.GetProperty("heldout_ids"));
        double[] logprobs = ExpectedCase.Numbers(expected.RootElement.GetProperty("heldout_logprobs"));

        float[] logits = runner.Step((new PagedRunner.Sequence(), ids))[0];

        double sum = 0;
        for (int i = 0; i < logprobs.Length; i++)
        {
            double logprob = LogitMath.Logprob(LogitMath.Row(logits, i, loaded.Config.VocabularySize), ids[i + 1]);
            Assert.Equal(logprobs[i], logprob, LogprobTolerance);
            sum -= logprob;
        }

        Assert.Equal(expected.RootElement.GetProperty("heldout_nll").GetDouble(), sum / logprobs.Length, MeanTolerance);
    }

    [Fact]
    public void Forward_Stories260K_GeneratesTheSameTokens()
    {
        string folder = TestData.ReferenceModel("stories260K");
        using var backend = new CpuBackend();
        LoadedModel loaded = Load(folder, backend);
        var runner = new PagedRunner(backend, loaded.Model, blockCount: 512);
        foreach (string line in File.ReadLines(Path.Combine(folder, "greedy.jsonl")))
        {
            using JsonDocument expected = JsonDocument.Parse(line);
            var sequence = new PagedRunner.Sequence();
            float[] logits = runner.Step((sequence, ExpectedCase.Integers(expected.RootElement.GetProperty("prompt_ids"))))[0];
            foreach (int token in ExpectedCase.Integers(expected.RootElement.GetProperty("greedy_ids")))
            {
                Assert.Equal(token, LogitMath.ArgMax(logits.AsSpan(logits.Length - loaded.Config.VocabularySize)));
                logits = runner.Step((sequence, [token]))[0];
            }
        }
    }

    private static LoadedModel Load(string folder, CpuBackend backend) =>
        ModelLoader.Load(new EngineOptions { Model = folder }, backend, maxBatchedTokens: 512, progress: null);
}
