using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>Every family, on every device that has it, against what transformers computed for a tiny checkpoint of it in float32.</summary>
public sealed class ReferenceModelTests
{
    private const int MaxBatchedTokens = 512;

    // How far the largest difference may exceed that of ideal rounding: another order of sums rounds other numbers up.
    private const double RoundingRoom = 2;

    /// <summary>
    /// The largest difference of a logprob when every operation's result is rounded to bfloat16 or float16, and nothing else: computed on
    /// the CPU backend. The logits of these random models are large, so 8 bits of a product's factors move them by much more than
    /// those of a trained model.
    /// </summary>
    private static readonly Dictionary<string, (double BFloat16, double Float16)> Rounding = new()
    {
        ["llama"] = (0.147, 0.0109),
        ["llama-hd128"] = (0.123, 0.0108),
        ["llama-tied-bias"] = (0.462, 0.0401),
        ["mistral-swa"] = (0.107, 0.0184),
        ["qwen2"] = (0.0814, 0.0220),
        ["qwen2-yarn"] = (0.100, 0.0273),
        ["qwen3"] = (0.196, 0.0267),
        ["gemma2"] = (0.306, 0.0517),
        ["gemma3"] = (0.230, 0.0284),
        ["phi3"] = (0.120, 0.0097),
        ["olmo2"] = (0.0419, 0.0053),
    };

    /// <summary>Each model on each device that has it.</summary>
    public static TheoryData<string, string> ModelsAndDevices { get; } = Rows(TestDevice.Names.Select(row => row.Data));

    /// <summary>Each model on the devices whose rows do not depend on each other.</summary>
    public static TheoryData<string, string> ModelsAndExactDevices { get; } = Rows(["cpu", "cuda bfloat16"]);

    [Theory]
    [MemberData(nameof(ModelsAndDevices))]
    public void Forward_ReferenceModel_MatchesTransformers(string name, string deviceName)
    {
        string folder = TestData.ReferenceModel(name);
        using var device = TestDevice.Open(deviceName);
        LoadedModel loaded = Load(folder, device.Backend);
        var runner = new PagedRunner(device.Backend, loaded.Model, blockCount: 64);
        double tolerance = device.RoundsTo switch
        {
            DType.BFloat16 => RoundingRoom * Rounding[name].BFloat16,
            DType.Float16 => RoundingRoom * Rounding[name].Float16,
            _ => device.Tolerance,
        };
        double firmMargin = Math.Max(device.FirmMargin, device.RoundsTo == DType.Float32 ? 0 : tolerance);
        var differences = new List<double>();
        int vocabulary = loaded.Config.VocabularySize;
        foreach (ExpectedCase expected in ExpectedCase.Read(folder))
        {
            var sequence = new PagedRunner.Sequence();
            float[] prompt = runner.Step((sequence, expected.Prompt))[0];
            for (int i = 1; i < expected.Prompt.Length; i++)
            {
                double logprob = LogitMath.Logprob(LogitMath.Row(prompt, i - 1, vocabulary), expected.Prompt[i]);
                differences.Add(Math.Abs(expected.PromptLogprobs[i] - logprob));
            }

            ReadOnlySpan<float> row = LogitMath.Row(prompt, expected.Prompt.Length - 1, vocabulary);
            if (device.RoundsTo == DType.Float32)
            {
                // Logits themselves are larger than logprobs, and a rounding error that all of them share says nothing.
                for (int i = 0; i < expected.LastLogits.Length; i++)
                {
                    Assert.Equal(expected.LastLogits[i], row[i], device.Tolerance);
                }
            }

            foreach (ExpectedStep step in expected.Steps)
            {
                CheckStep(step, row, firmMargin, differences);
                row = runner.Step((sequence, [step.Token]))[0];
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"differences of logprobs: {differences.Max():g3} at most, {differences.Average():g3} in the mean");
        Assert.InRange(differences.Max(), 0, tolerance);
    }

    [Theory]
    [MemberData(nameof(ModelsAndExactDevices))]
    public void Forward_InChunksOrAmongOthers_ChangesNoBit(string name, string deviceName)
    {
        string folder = TestData.ReferenceModel(name);
        using var device = TestDevice.Open(deviceName, batchInvariant: true);
        LoadedModel loaded = Load(folder, device.Backend);
        var runner = new PagedRunner(device.Backend, loaded.Model, blockCount: 128);
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

    private static void CheckStep(ExpectedStep step, ReadOnlySpan<float> row, double firmMargin, List<double> differences)
    {
        for (int i = 0; i < step.TopIds.Length; i++)
        {
            differences.Add(Math.Abs(step.TopLogprobs[i] - LogitMath.Logprob(row, step.TopIds[i])));
        }

        if (step.Margin > firmMargin)
        {
            Assert.Equal(step.Token, LogitMath.ArgMax(row));
        }
    }

    private static void AssertSameBits(float[] expected, float[] actual) =>
        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)));

    private static TheoryData<string, string> Rows(IEnumerable<string> devices)
    {
        var rows = new TheoryData<string, string>();
        foreach (string device in devices)
        {
            foreach (TheoryDataRow<string> model in device == "cpu" ? TestData.ReferenceModels : TestData.DenseReferenceModels)
            {
                rows.Add(model.Data, device);
            }
        }

        return rows;
    }

    private static LoadedModel Load(string folder, IBackend backend) =>
        ModelLoader.Load(new EngineOptions { Model = folder }, backend, MaxBatchedTokens, progress: null);
}
