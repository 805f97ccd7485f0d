using System.Text.Json;
using Sluice.Compute;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>The two really trained models: their text, and how well they predict a text that they were not trained on.</summary>
public sealed class TrainedModelTests
{
    [Theory]
    [MemberData(nameof(TestDevice.Names), MemberType = typeof(TestDevice))]
    public void Forward_Storyteller_ContinuesAsTransformersDoes(string deviceName)
    {
        using var device = TestDevice.Open(deviceName);
        LoadedModel loaded = Load(TestData.Storyteller, device.Backend);
        var runner = new PagedRunner(device.Backend, loaded.Model, blockCount: 512);
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Storyteller, "expected.json")));
        double worst = 0;
        foreach (JsonElement item in expected.RootElement.GetProperty("cases").EnumerateArray())
        {
            var sequence = new PagedRunner.Sequence();
            float[] logits = runner.Step((sequence, ExpectedCase.Integers(item.GetProperty("ids"))))[0];
            foreach (JsonElement step in item.GetProperty("steps").EnumerateArray())
            {
                int token = step.GetProperty("token").GetInt32();
                ReadOnlySpan<float> row = logits.AsSpan(logits.Length - loaded.Config.VocabularySize);
                worst = Math.Max(worst, Math.Abs(step.GetProperty("logprob").GetDouble() - LogitMath.Logprob(row, token)));
                if (step.GetProperty("margin").GetDouble() > device.FirmMargin)
                {
                    Assert.Equal(token, LogitMath.ArgMax(row));
                }

                logits = runner.Step((sequence, [token]))[0];
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"largest difference of a logprob: {worst:g3}");
        Assert.InRange(worst, 0, device.Tolerance);
    }

    [Theory]
    [MemberData(nameof(TestDevice.Names), MemberType = typeof(TestDevice))]
    public void Forward_Storyteller_PredictsHeldOutTextAsWell(string deviceName)
    {
        using var device = TestDevice.Open(deviceName);
        LoadedModel loaded = Load(TestData.Storyteller, device.Backend);
        var runner = new PagedRunner(device.Backend, loaded.Model, blockCount: 64);
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Storyteller, "expected.json")));
        int[] ids = ExpectedCase.Integers(expected.RootElement.GetProperty("heldout_ids"));
        double[] logprobs = ExpectedCase.Numbers(expected.RootElement.GetProperty("heldout_logprobs"));

        float[] logits = runner.Step((new PagedRunner.Sequence(), ids))[0];

        double worst = 0;
        double sum = 0;
        for (int i = 0; i < logprobs.Length; i++)
        {
            double logprob = LogitMath.Logprob(LogitMath.Row(logits, i, loaded.Config.VocabularySize), ids[i + 1]);
            worst = Math.Max(worst, Math.Abs(logprobs[i] - logprob));
            sum -= logprob;
        }

        double difference = (sum / logprobs.Length) - expected.RootElement.GetProperty("heldout_nll").GetDouble();
        TestContext.Current.TestOutputHelper?.WriteLine($"largest difference of a logprob: {worst:g3}; of the mean: {difference:g3}");
        Assert.InRange(worst, 0, device.Tolerance);
        Assert.InRange(difference, -device.MeanTolerance, device.MeanTolerance);
    }

    [Theory]
    [MemberData(nameof(TestDevice.Names), MemberType = typeof(TestDevice))]
    public void Forward_Stories260K_GeneratesTheSameTokens(string deviceName)
    {
        string folder = TestData.ReferenceModel("stories260K");
        using var device = TestDevice.Open(deviceName);
        LoadedModel loaded = Load(folder, device.Backend);
        var runner = new PagedRunner(device.Backend, loaded.Model, blockCount: 512);
        foreach (string line in File.ReadLines(Path.Combine(folder, "greedy.jsonl")))
        {
            using JsonDocument expected = JsonDocument.Parse(line);
            var sequence = new PagedRunner.Sequence();
            float[] logits = runner.Step((sequence, ExpectedCase.Integers(expected.RootElement.GetProperty("prompt_ids"))))[0];
            foreach (int token in ExpectedCase.Integers(expected.RootElement.GetProperty("greedy_ids")))
            {
                ReadOnlySpan<float> row = logits.AsSpan(logits.Length - loaded.Config.VocabularySize);
                Assert.InRange(row[LogitMath.ArgMax(row)] - row[token], 0, device.GreedyMargin);
                logits = runner.Step((sequence, [token]))[0];
            }
        }
    }

    private static LoadedModel Load(string folder, IBackend backend) =>
        ModelLoader.Load(new EngineOptions { Model = folder }, backend, maxBatchedTokens: 512, progress: null);
}
