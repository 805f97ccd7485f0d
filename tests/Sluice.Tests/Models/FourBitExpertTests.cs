using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Models;

namespace Sluice.Tests.Models;

/// <summary>
/// Experts in four bits with a power of two for each 32, as gpt-oss is released, against the same values in a bfloat16 checkpoint.
/// </summary>
public sealed class FourBitExpertTests
{
    private const int Experts = 4;
    private const int Hidden = 128;
    private const int Width = 192;
    private const string FourBitConfig = """{"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}}""";
    private const string DownScales = "model.layers.1.mlp.experts.down_proj_scales";

    private static readonly int[] Prompt = [1, 7, 300, 12, 99, 5, 42, 42, 17];

    [Fact]
    public void Load_FourBits_HasTheBitsOfTheSameValuesInBFloat16()
    {
        using var packed = new TemporaryFolder();
        using var widened = new TemporaryFolder();
        Write(packed, widened, static _ => { });

        float[] expected = Logits(new EngineOptions { Model = widened.Path });
        float[] actual = Logits(new EngineOptions { Model = packed.Path, HfOverrides = FourBitConfig });
        float[] typed = Logits(new EngineOptions { Model = packed.Path, HfOverrides = FourBitConfig, DType = DType.BFloat16 });

        Assert.True(expected.Max() - expected.Min() > 0.1f);
        Assert.Equal(expected, actual);
        Assert.Equal(expected, typed);
    }

    [Fact]
    public void Load_FourBits_TakesNoMoreThanThePlanSays()
    {
        using var packed = new TemporaryFolder();
        using var widened = new TemporaryFolder();
        Write(packed, widened, static _ => { });
        using var backend = new CpuBackend(1);
        var options = new EngineOptions { Model = packed.Path, HfOverrides = FourBitConfig };
        LoadedModel loaded = ModelLoader.Load(options, backend, 64, null, TestContext.Current.CancellationToken);

        ModelMemory plan = ModelMemory.Plan(loaded.Config, new BuildLimits(64, 512), null, DType.Float32, DType.Float32);
        ModelMemory wide = ModelMemory.Plan(
            ModelConfigReader.Read(widened.Path, null), new BuildLimits(64, 512), null, DType.Float32, DType.Float32);

        // Routers of four experts fill a quarter of a panel; two layers.
        const long padding = 2 * 12 * Hidden * 2;
        Assert.Equal(loaded.WeightBytes, plan.WeightBytes + padding);

        // 16 bits an element, and 4 bits with 8 for each 32.
        const long elements = 2L * Experts * 3 * Width * Hidden;
        Assert.Equal((elements * 2) - (elements * 17 / 32), wide.WeightBytes - plan.WeightBytes);
    }

    [Fact]
    public void Load_ScaleThatIsNoNumber_NamesTheTensor()
    {
        using var packed = new TemporaryFolder();
        using var widened = new TemporaryFolder();
        Write(packed, widened, static tensors => tensors[DownScales].Data[77] = 255);

        Assert.Contains(DownScales + " is not a number", Broken(packed.Path, FourBitConfig), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ScalesMissingOrOfAnotherShape_NamesTheTensor()
    {
        using var packed = new TemporaryFolder();
        using var widened = new TemporaryFolder();
        Write(packed, widened, static tensors => tensors.Remove(DownScales));
        Assert.Contains($"tensor {DownScales} [4, 128, 6] is in none of", Broken(packed.Path, FourBitConfig), StringComparison.Ordinal);

        Write(packed, widened, static tensors => tensors[DownScales] = tensors[DownScales] with { Shape = [4, 64, 12] });
        Assert.Contains($"tensor {DownScales} has the shape [4, 64, 12]", Broken(packed.Path, FourBitConfig), StringComparison.Ordinal);

        Write(packed, widened, static tensors => tensors[DownScales] = tensors[DownScales] with { Type = "I8" });
        Assert.Contains($"tensor {DownScales} has the dtype I8; U8 was expected", Broken(packed.Path, FourBitConfig), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"swiglu_limit": 3}""", "swiglu_limit")]
    [InlineData("""{"quantization_config": {"quant_method": "awq"}}""", "awq")]
    public void Read_WhatTheFamilyDoesNotHave_IsRefused(string overrides, string named) =>
        Assert.Contains(named, Broken(TestData.ReferenceModel("gpt-oss"), overrides), StringComparison.Ordinal);

    [Theory]
    [InlineData("mixtral", null)]
    [InlineData("qwen3-moe", null)]
    [InlineData("glm4-moe", null)]
    [InlineData("gpt-oss", null)]
    [InlineData("gpt-oss", FourBitConfig)]
    public void Load_DummyWeights_StaysFinite(string name, string? overrides)
    {
        float[] logits = Logits(new EngineOptions { Model = TestData.ReferenceModel(name), LoadFormat = LoadFormat.Dummy, HfOverrides = overrides });

        Assert.All(logits, static logit => Assert.True(float.IsFinite(logit)));
        Assert.True(logits.Max() - logits.Min() > 0.1f);
    }

    /// <summary>The reference model with random four-bit experts, packed and as the values that they stand for.</summary>
    private static void Write(TemporaryFolder packed, TemporaryFolder widened, Action<Dictionary<string, StoredTensor>> change)
    {
        string source = TestData.ReferenceModel("gpt-oss");
        Dictionary<string, StoredTensor> fourBits = Read(Path.Combine(source, "model.safetensors"));
        Dictionary<string, StoredTensor> values = new(fourBits, StringComparer.Ordinal);
        Random random = new(4);
        for (int layer = 0; layer < 2; layer++)
        {
            string prefix = $"model.layers.{layer}.mlp.experts.";
            Replace(fourBits, values, prefix + "gate_up_proj", 2 * Width, Hidden, random);
            Replace(fourBits, values, prefix + "down_proj", Hidden, Width, random);
        }

        change(fourBits);
        foreach ((TemporaryFolder folder, Dictionary<string, StoredTensor> tensors) in new[] { (packed, fourBits), (widened, values) })
        {
            folder.Write("config.json", File.ReadAllText(Path.Combine(source, "config.json")));
            folder.Write("model.safetensors", Encode(tensors));
        }
    }

    private static void Replace(
        Dictionary<string, StoredTensor> fourBits, Dictionary<string, StoredTensor> values, string name, int rows, int columns, Random random)
    {
        byte[] codes = new byte[Experts * rows * columns / 2];
        byte[] exponents = new byte[Experts * rows * columns / 32];
        random.NextBytes(codes);
        for (int i = 0; i < exponents.Length; i++)
        {
            exponents[i] = (byte)random.Next(118, 124);
        }

        // The matrices of a bfloat16 checkpoint are [inFeatures, outFeatures].
        ushort[] matrices = new ushort[Experts * rows * columns];
        for (int i = 0; i < matrices.Length; i++)
        {
            int code = (codes[i / 2] >> (4 * (i % 2))) & 15;
            int exponent = (code >> 1) & 3;
            double magnitude = exponent == 0 ? 0.5 * (code & 1) : Math.Pow(2, exponent - 1) * (1 + (0.5 * (code & 1)));
            double value = magnitude * Math.Pow(2, exponents[i / 32] - 127) * (code > 7 ? -1 : 1);
            (int expert, int row, int column) = (i / (rows * columns), i / columns % rows, i % columns);
            matrices[(((expert * columns) + column) * rows) + row] = ((BFloat16)(float)value).Bits;
        }

        fourBits.Remove(name);
        fourBits[name + "_blocks"] = new StoredTensor("U8", [Experts, rows, columns / 32, 16], codes);
        fourBits[name + "_scales"] = new StoredTensor("U8", [Experts, rows, columns / 32], exponents);
        values[name] = new StoredTensor("BF16", [Experts, columns, rows], MemoryMarshal.AsBytes<ushort>(matrices).ToArray());
    }

    private static Dictionary<string, StoredTensor> Read(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int start = 8 + (int)BitConverter.ToUInt64(file);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, start - 8));
        var tensors = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (JsonProperty entry in header.RootElement.EnumerateObject().Where(static entry => entry.Name != "__metadata__"))
        {
            JsonElement offsets = entry.Value.GetProperty("data_offsets");
            int[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(static size => size.GetInt32())];
            byte[] data = file[(start + offsets[0].GetInt32())..(start + offsets[1].GetInt32())];
            tensors[entry.Name] = new StoredTensor(entry.Value.GetProperty("dtype").GetString()!, shape, data);
        }

        return tensors;
    }

    private static byte[] Encode(Dictionary<string, StoredTensor> tensors)
    {
        var entries = new List<string>();
        int offset = 0;
        foreach ((string name, StoredTensor tensor) in tensors)
        {
            entries.Add($"\"{name}\":{{\"dtype\":\"{tensor.Type}\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{offset},{offset += tensor.Data.Length}]}}");
        }

        byte[] header = Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}");
        return [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. tensors.Values.SelectMany(static tensor => tensor.Data)];
    }

    private static float[] Logits(EngineOptions options)
    {
        using var backend = new CpuBackend(1);
        LoadedModel loaded = ModelLoader.Load(options, backend, 64, null, TestContext.Current.CancellationToken);
        Assert.Empty(loaded.UnusedTensors);
        return new PagedRunner(backend, loaded.Model, 4).Step((new PagedRunner.Sequence(), Prompt))[0];
    }

    private static string Broken(string folder, string overrides)
    {
        using var backend = new CpuBackend(1);
        return Assert.Throws<UserErrorException>(() => ModelLoader.Load(
            new EngineOptions { Model = folder, HfOverrides = overrides }, backend, 64, null, TestContext.Current.CancellationToken)).Message;
    }

    private sealed record StoredTensor(string Type, int[] Shape, byte[] Data);
}
