using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Sluice.Compute;
using Sluice.Compute.Ops.Linear;
using Sluice.Weights;

namespace Sluice.Tests.Weights.Quantization;

/// <summary>
/// A reference model with the projections in 8 bits, as one of the released dialects stores them, and the same model with what those
/// elements stand for in float32.
/// </summary>
internal sealed class QuantizedCheckpoint : IDisposable
{
    private readonly TemporaryFolder _quantized = new();
    private readonly TemporaryFolder _widened = new();
    private readonly SortedDictionary<string, (string Type, long[] Shape, byte[] Data)> _tensors = new(StringComparer.Ordinal);

    /// <param name="model">Name of the reference model.</param>
    /// <param name="dialect">How it is quantized.</param>
    public QuantizedCheckpoint(string model, Dialect dialect)
    {
        string source = TestData.ReferenceModel(model);
        var widened = new SortedDictionary<string, (string Type, long[] Shape, byte[] Data)>(StringComparer.Ordinal);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(source, "model.safetensors"));
        foreach (SafetensorsEntry entry in file.Entries)
        {
            byte[] data = new byte[entry.End - entry.Begin];
            file.Read(entry, 0, data);
            if (!entry.Name.EndsWith("_proj.weight", StringComparison.Ordinal) || dialect.Keeps(entry.Name))
            {
                _tensors[entry.Name] = (entry.TypeName, entry.Shape, data);
                widened[entry.Name] = (entry.TypeName, entry.Shape, data);
                continue;
            }

            (byte[] codes, byte[] scales, long[] scaleShape, float[] values) = Quantize(data, (int)entry.Shape[0], (int)entry.Shape[1], dialect);
            _tensors[entry.Name] = ("F8_E4M3", entry.Shape, codes);
            _tensors[entry.Name[..^"weight".Length] + dialect.ScaleName] = (dialect.ScaleType, scaleShape, scales);
            widened[entry.Name] = ("F32", entry.Shape, MemoryMarshal.AsBytes<float>(values).ToArray());
        }

        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        _widened.Write("config.json", config.ToJsonString());
        config["quantization_config"] = JsonNode.Parse(dialect.Config);
        _quantized.Write("config.json", config.ToJsonString());
        Write(_widened, widened);
        Save();
    }

    /// <summary>Folder of the model in 8 bits.</summary>
    public string Folder => _quantized.Path;

    /// <summary>Folder of the model in float32.</summary>
    public string WidenedFolder => _widened.Path;

    /// <summary>Changes a tensor of the model in 8 bits; without a result it is left out.</summary>
    public void Change(string name, Func<(string Type, long[] Shape, byte[] Data), (string Type, long[] Shape, byte[] Data)?> change)
    {
        (string Type, long[] Shape, byte[] Data)? changed = change(_tensors[name]);
        _tensors.Remove(name);
        if (changed is { } tensor)
        {
            _tensors[name] = tensor;
        }

        Save();
    }

    public void Dispose()
    {
        _quantized.Dispose();
        _widened.Dispose();
    }

    private void Save() => Write(_quantized, _tensors);

    private static (byte[] Codes, byte[] Scales, long[] ScaleShape, float[] Values) Quantize(byte[] data, int rows, int columns, Dialect dialect)
    {
        ReadOnlySpan<ushort> source = MemoryMarshal.Cast<byte, ushort>(data);
        int rowBlock = Math.Min(dialect.RowBlock, rows);
        int columnBlock = Math.Min(dialect.ColumnBlock, columns);
        int columnBlocks = (columns + columnBlock - 1) / columnBlock;
        float[] scales = new float[(rows + rowBlock - 1) / rowBlock * columnBlocks];
        int BlockOf(int i) => (i / columns / rowBlock * columnBlocks) + (i % columns / columnBlock);
        for (int i = 0; i < source.Length; i++)
        {
            ref float scale = ref scales[BlockOf(i)];
            scale = Math.Max(scale, Math.Abs((float)new BFloat16(source[i])) / 448);
        }

        if (dialect.ScaleType == "BF16")
        {
            // Upwards, so that nothing is beyond 448.
            scales = [.. scales.Select(static scale => (float)(BFloat16)(scale * 1.01f))];
        }

        byte[] codes = new byte[source.Length];
        float[] values = new float[source.Length];
        for (int i = 0; i < source.Length; i++)
        {
            float scale = scales[BlockOf(i)];
            codes[i] = PackedFloat8.Narrow((float)new BFloat16(source[i]) / scale);
            values[i] = Float8Panel.Widen(codes[i]) * scale;
        }

        byte[] stored = dialect.ScaleType == "BF16"
            ? MemoryMarshal.AsBytes<ushort>(scales.Select(static scale => ((BFloat16)scale).Bits).ToArray()).ToArray()
            : MemoryMarshal.AsBytes<float>(scales).ToArray();
        return (codes, stored, dialect.ScaleShape((scales.Length / columnBlocks, columnBlocks)), values);
    }

    private static void Write(TemporaryFolder folder, SortedDictionary<string, (string Type, long[] Shape, byte[] Data)> tensors)
    {
        var header = new StringBuilder("{");
        long offset = 0;
        foreach ((string name, (string type, long[] shape, byte[] data)) in tensors)
        {
            header.Append(CultureInfo.InvariantCulture, $"{(offset == 0 ? "" : ",")}\"{name}\":{{\"dtype\":\"{type}\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{offset},{offset + data.Length}]}}");
            offset += data.Length;
        }

        byte[] json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        using FileStream file = File.Create(Path.Combine(folder.Path, "model.safetensors"));
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        file.Write(length);
        file.Write(json);
        foreach ((string _, (string _, long[] _, byte[] data)) in tensors)
        {
            file.Write(data);
        }
    }
}

/// <summary>A way in which checkpoints with 8-bit weights are released.</summary>
/// <param name="Config">quantization_config.</param>
/// <param name="ScaleName">Last part of the names of scales.</param>
/// <param name="ScaleType">Their type.</param>
/// <param name="RowBlock">Rows of a block.</param>
/// <param name="ColumnBlock">Columns of a block.</param>
/// <param name="ScaleShape">Shape of the scales from the number of blocks.</param>
internal sealed record Dialect(
    string Config, string ScaleName, string ScaleType, int RowBlock, int ColumnBlock, Func<(int Rows, int Columns), long[]> ScaleShape)
{
    private const int All = int.MaxValue;

    /// <summary>Part of the names of projections that keep their type.</summary>
    public string? Kept { get; init; }

    public static IReadOnlyDictionary<string, Dialect> Known { get; } = new Dictionary<string, Dialect>
    {
        ["fp8 blocks"] = new(
            """{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}""",
            "weight_scale_inv", "F32", 128, 128, static blocks => [blocks.Rows, blocks.Columns]),
        ["fp8 small blocks"] = new(
            """{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [24, 128]}""",
            "weight_scale_inv", "BF16", 24, 128, static blocks => [blocks.Rows, blocks.Columns]),
        ["fp8 tensor"] = new(
            """{"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head", "k_proj"]}""",
            "weight_scale", "F32", All, All, static _ => [])
        { Kept = "k_proj" },
        ["compressed-tensors tensor"] = new(
            Compressed("""{"num_bits": 8, "type": "float", "symmetric": true, "strategy": "tensor"}"""), "weight_scale", "F32", All, All, static _ => [1]),
        ["compressed-tensors channel"] = new(
            Compressed("""{"num_bits": 8, "type": "float", "symmetric": true, "strategy": "channel"}"""),
            "weight_scale", "BF16", 1, All, static blocks => [blocks.Rows, 1])
        { Kept = "o_proj" },
        ["compressed-tensors block"] = new(
            Compressed("""{"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]}"""),
            "weight_scale", "F32", 128, 128, static blocks => [blocks.Rows, blocks.Columns]),
        ["fbgemm_fp8"] = new(
            """{"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["model.layers.0", "lm_head"]}""",
            "weight_scale", "F32", 1, All, static blocks => [blocks.Rows, 1])
        { Kept = "layers.0." },
        ["modelopt"] = new(
            """{"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["lm_head", "*.layers.1.self_attn*"]}""",
            "weight_scale", "F32", All, All, static _ => [])
        { Kept = "layers.1.self_attn" },
    };

    public bool Keeps(string name) => Kept is not null && name.Contains(Kept, StringComparison.Ordinal);

    private static string Compressed(string weights) =>
        "{\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\", \"ignore\": [\"lm_head\", \"re:.*o_proj$\"], "
            + "\"quantization_status\": \"compressed\", \"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], \"weights\": " + weights + "}}}";
}
