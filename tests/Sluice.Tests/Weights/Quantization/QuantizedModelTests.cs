using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Models;
using Sluice.Tests.Models;

namespace Sluice.Tests.Weights.Quantization;

public sealed class QuantizedModelTests
{
    private const string Projection = "model.layers.1.mlp.up_proj";

    // Elements have 3 bits of mantissa: relative errors of 2.5 % in the mean, in every sum of two layers; 11 to 14 % of the logits of these
    // random models, 26 % where a changed score chooses another expert. Logits of other weights would differ by 140 %.
    private const double QuantizedTolerance = 0.35;

    private static readonly int[] Prompt = [.. Enumerable.Range(0, 40).Select(static i => 3 + (i * 37 % 380))];

    public static TheoryData<string, string> DialectsAndModels { get; } = new(
        from dialect in Dialect.Known.Keys
        from model in new[] { "llama", "llama-tied-bias", "phi3", "qwen3-moe" }
        where model == "llama" || dialect is "fp8 blocks" or "compressed-tensors channel"
        select (dialect, model));

    [Theory]
    [MemberData(nameof(DialectsAndModels))]
    public void Forward_AnyDialect_HasTheBitsOfTheWidenedModel(string dialect, string model)
    {
        using var checkpoint = new QuantizedCheckpoint(model, Dialect.Known[dialect]);

        float[] expected = Logits(new EngineOptions { Model = checkpoint.WidenedFolder });
        float[] actual = Logits(new EngineOptions { Model = checkpoint.Folder });

        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)));
    }

    [Fact]
    public void Forward_OneTokenAtATime_ChangesNoBit()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        using var backend = new CpuBackend(2);
        LoadedModel loaded = Load(new EngineOptions { Model = checkpoint.Folder }, backend);
        var runner = new PagedRunner(backend, loaded.Model, blockCount: 16);
        float[] whole = runner.Step((new PagedRunner.Sequence(), Prompt))[0];
        var sequence = new PagedRunner.Sequence();

        float[] single = [.. Prompt.SelectMany(token => runner.Step((sequence, [token]))[0])];

        Assert.True(MemoryMarshal.AsBytes<float>(whole).SequenceEqual(MemoryMarshal.AsBytes<float>(single)));
    }

    [Fact]
    public void Load_QuantizedCheckpoint_TakesBytesOfElementsAndScalesAsPlanned()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        using var backend = new CpuBackend(1);
        LoadedModel loaded = Load(new EngineOptions { Model = checkpoint.Folder }, backend);

        ModelMemory plan = ModelMemory.Plan(loaded.Config, new BuildLimits(64, loaded.Config.MaxPositions), null, DType.Float32, DType.Float32);

        // Each layer: q 128, k and v 64, o 128 rows of 128; gate and up 192 of 128; down 128 of 192, which has two groups.
        const long LayerBytes = ((128 + 64 + 64 + 128 + 192 + 192) * (128L + 4)) + (128 * (192L + 8));
        const long Others = (2 * 2 * 384 * 128) + (5 * 4 * 128);
        Assert.Equal((2 * LayerBytes) + Others, loaded.WeightBytes);
        Assert.Equal(loaded.WeightBytes, plan.WeightBytes);
        Assert.Empty(loaded.UnusedTensors);
    }

    [Theory]
    [InlineData("llama", LoadFormat.Auto)]
    [InlineData("qwen2", LoadFormat.Auto)]
    [InlineData("qwen3-moe", LoadFormat.Auto)]
    [InlineData("llama", LoadFormat.Dummy)]
    public void Load_QuantizedAtLoad_IsNearTheModelInAboutHalfTheBytes(string model, LoadFormat format)
    {
        var options = new EngineOptions { Model = TestData.ReferenceModel(model), LoadFormat = format };
        using var backend = new CpuBackend(1);
        long bytes = Load(options, backend).WeightBytes;
        long quantizedBytes = Load(options with { Quantization = "fp8" }, backend).WeightBytes;
        float[] expected = Logits(options);

        float[] actual = Logits(options with { Quantization = "fp8" });

        Assert.InRange(quantizedBytes, bytes / 2, bytes * 3 / 4);
        double error = expected.Zip(actual).Sum(static pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(static logit => Math.Pow(logit, 2));
        Assert.InRange(Math.Sqrt(error), 1e-4, QuantizedTolerance);
    }

    [Fact]
    public void Forward_QuantizedAtLoad_HasTheBitsOfScalesByRow()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fbgemm_fp8"] with { Kept = null });

        float[] expected = Logits(new EngineOptions { Model = checkpoint.WidenedFolder });
        float[] actual = Logits(new EngineOptions { Model = TestData.ReferenceModel("llama"), Quantization = "fp8_per_channel" });

        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)));
    }

    [Fact]
    public void Load_DummyWeightsOfAQuantizedModel_AreIn8Bits()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        using var backend = new CpuBackend(1);

        long stored = Load(new EngineOptions { Model = checkpoint.Folder }, backend).WeightBytes;

        Assert.Equal(stored, Load(new EngineOptions { Model = checkpoint.Folder, LoadFormat = LoadFormat.Dummy }, backend).WeightBytes);
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.Float16)]
    public void Load_AnotherTypeAskedFor_ChangesOnlyWhatIsNotQuantized(DType type)
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        float[] expected = Logits(new EngineOptions { Model = checkpoint.Folder });

        float[] actual = Logits(new EngineOptions { Model = checkpoint.Folder, DType = type });

        // Embedding and output of this model lose at most the smallest of their values in float16.
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, type == DType.Float32 ? 0 : 1e-3f));
    }

    [Theory]
    [InlineData("fp8 blocks", Projection + ".weight_scale_inv", "[2, 1] (blocks of 128 x 128) was expected")]
    [InlineData("compressed-tensors channel", Projection + ".weight_scale", "[192] or [192, 1] (one a row) was expected")]
    public void Load_MissingScales_NamesTensorAndRule(string dialect, string scales, string rule)
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known[dialect]);
        checkpoint.Change(scales, static _ => null);

        AssertError(checkpoint, Projection + ".weight", scales + " is missing", rule);
    }

    [Theory]
    [InlineData("fp8 blocks", Projection + ".weight_scale_inv", 3, 1)]
    [InlineData("fp8 blocks", Projection + ".weight_scale_inv", 1, 2)]
    [InlineData("compressed-tensors tensor", Projection + ".weight_scale", 2, 1)]
    public void Load_MisshapenScales_NamesTensorAndRule(string dialect, string scales, long rows, long columns)
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known[dialect]);
        checkpoint.Change(scales, tensor => (tensor.Type, [rows, columns], new byte[rows * columns * 4]));

        AssertError(checkpoint, Projection + ".weight [192, 128]", $"{scales} has the shape [{rows}, {columns}]", "was expected");
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(1e20f)]
    public void Load_UnusableScale_NamesTheTensor(float scale)
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        checkpoint.Change(
            Projection + ".weight_scale_inv", tensor => (tensor.Type, tensor.Shape, [.. BitConverter.GetBytes(scale), .. tensor.Data[4..]]));

        AssertError(checkpoint, Projection + ".weight_scale_inv", "finite");
    }

    [Fact]
    public void Load_ElementThatIsNoNumber_NamesTheTensor()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        checkpoint.Change(Projection + ".weight", static tensor => (tensor.Type, tensor.Shape, [0x7F, .. tensor.Data[1..]]));

        AssertError(checkpoint, Projection + ".weight", "NaN");
    }

    [Fact]
    public void Load_ScalesOf8Bits_NamesTheirType()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        checkpoint.Change(Projection + ".weight_scale_inv", static tensor => ("F8_E4M3", tensor.Shape, new byte[2]));

        AssertError(checkpoint, Projection + ".weight_scale_inv", "F8_E4M3");
    }

    [Fact]
    public void Load_QuantizedNorm_NamesIt()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        checkpoint.Change("model.norm.weight", static tensor => ("F8_E4M3", tensor.Shape, new byte[128]));

        AssertError(checkpoint, "model.norm.weight", "F8_E4M3");
    }

    [Fact]
    public void Load_8BitWeightsThatTheConfigDoesNotExplain_NamesTheTensor()
    {
        using var checkpoint = new QuantizedCheckpoint("llama", Dialect.Known["fp8 blocks"]);
        File.Copy(Path.Combine(checkpoint.WidenedFolder, "config.json"), Path.Combine(checkpoint.Folder, "config.json"), overwrite: true);

        AssertError(checkpoint, "_proj.weight", "\"quantization_config\"");
    }

    private static void AssertError(QuantizedCheckpoint checkpoint, params string[] parts)
    {
        using var backend = new CpuBackend(1);
        var error = Assert.Throws<UserErrorException>(() => Load(new EngineOptions { Model = checkpoint.Folder }, backend));
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.Contains(checkpoint.Folder, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private static float[] Logits(EngineOptions options)
    {
        using var backend = new CpuBackend(2);
        var runner = new PagedRunner(backend, Load(options, backend).Model, blockCount: 16);
        return runner.Step((new PagedRunner.Sequence(), Prompt))[0];
    }

    private static LoadedModel Load(EngineOptions options, IBackend backend) =>
        ModelLoader.Load(options, backend, 64, progress: null, TestContext.Current.CancellationToken);
}
