using Sluice.Compute.Ops.Linear;
using Sluice.Models;

namespace Sluice.Weights.Quantization;

/// <summary>Reads "quantization_config" of config.json in the dialects that 8-bit checkpoints are released in.</summary>
internal static class QuantizationReader
{
    private const string Supported =
        "fp8, compressed-tensors with 8-bit floats, fbgemm_fp8 and modelopt with FP8; else use a bfloat16, float16 or float32 checkpoint";

    /// <param name="config">config.json, or its part for text.</param>
    /// <returns>None when the checkpoint is not quantized.</returns>
    /// <exception cref="UserErrorException">A method or a setting that is not supported, or malformed.</exception>
    public static QuantizationConfig? Read(ConfigObject config)
    {
        ConfigObject? source = config.Object("quantization_config") ?? config.Object("compression_config");
        if (source is null)
        {
            return null;
        }

        string method = source.Text("quant_method") ?? throw source.Error("\"quant_method\" is missing");
        return method switch
        {
            "fp8" => ReadFp8(source, method),
            "compressed-tensors" => ReadCompressedTensors(source, method),
            "fbgemm_fp8" => new QuantizationConfig
            {
                Method = method,
                IsStored = true,
                HasTensorOrRowScales = true,
                Ignored = Ignored(source, "modules_to_not_convert"),
            },
            "modelopt" => ReadModelOpt(source, method),
            _ => throw source.Error($"the weights are quantized by \"quant_method\" \"{method}\", which is not supported; supported are {Supported}"),
        };
    }

    /// <summary>Reads hf_quant_config.json, which ModelOpt writes beside config.json.</summary>
    public static QuantizationConfig? ReadModelOptFile(string path) =>
        ConfigObject.ReadFile(path, null, "").Object("quantization") is { } source && source.Has("quant_algo")
            ? ReadModelOpt(source, "modelopt")
            : null;

    private static QuantizationConfig ReadFp8(ConfigObject source, string method)
    {
        if (source.Text("fmt") is { } format && format is not ("e4m3" or "float8_e4m3fn"))
        {
            throw source.Error($"\"fmt\" is \"{format}\"; e4m3 was expected");
        }

        IReadOnlyList<int> block = source.Integers("weight_block_size");
        return new QuantizationConfig
        {
            Method = method,
            IsStored = true,
            ScaleName = block.Count > 0 ? "weight_scale_inv" : "weight_scale",
            Block = block.Count > 0 ? Block(source, "weight_block_size", block) : null,
            HasTensorOrRowScales = block.Count == 0,
            Ignored = Ignored(source, "modules_to_not_convert", "ignored_layers"),
        };
    }

    private static QuantizationConfig ReadModelOpt(ConfigObject source, string method)
    {
        string? algorithm = source.Text("quant_algo");
        return algorithm is "FP8" or "FP8_PER_CHANNEL_PER_TOKEN"
            ? new QuantizationConfig
            {
                Method = method,
                IsStored = true,
                HasTensorOrRowScales = true,
                Ignored = Ignored(source, "exclude_modules", "ignore"),
            }
            : throw source.Error($"\"quant_algo\" is \"{algorithm}\", which is not supported; supported are {Supported}");
    }

    private static QuantizationConfig ReadCompressedTensors(ConfigObject source, string method)
    {
        if (source.Text("format") is { } format && format is not ("float-quantized" or "naive-quantized"))
        {
            throw source.Error($"\"format\" is \"{format}\", which is not supported; supported are {Supported}");
        }

        if (source.Object("sparsity_config")?.Text("format") is { } sparsity && sparsity != "dense")
        {
            throw source.Error($"\"sparsity_config\" has the format \"{sparsity}\"; dense weights were expected");
        }

        ConfigObject groups = source.Object("config_groups") ?? throw source.Error("\"config_groups\" is missing");
        bool hasTensorOrRowScales = false;
        (int Rows, int Columns)? block = null;
        foreach (string name in groups.Names())
        {
            ConfigObject? weights = groups.Object(name)?.Object("weights");
            if (weights is null)
            {
                continue;
            }

            if (weights.Integer("num_bits") is not 8 || weights.Text("type") is not "float")
            {
                throw weights.Error($"weights of {weights.Integer("num_bits")} bits of type \"{weights.Text("type")}\" are not supported; supported are {Supported}");
            }

            string strategy = weights.Text("strategy") ?? "tensor";
            switch (strategy)
            {
                case "tensor" or "channel":
                    hasTensorOrRowScales = true;
                    break;
                case "block":
                    (int Rows, int Columns) size = Block(weights, "block_structure", weights.Integers("block_structure"));
                    block = block is null || block == size ? size : throw weights.Error("\"block_structure\" differs between groups");
                    break;
                default:
                    throw weights.Error($"\"strategy\" is \"{strategy}\"; tensor, channel or block was expected");
            }
        }

        return block is not null || hasTensorOrRowScales
            ? new QuantizationConfig
            {
                Method = method,
                IsStored = true,
                Block = block,
                HasTensorOrRowScales = hasTensorOrRowScales,
                Ignored = Ignored(source, "ignore"),
            }
            : throw groups.Error("no group has \"weights\"");
    }

    private static (int Rows, int Columns) Block(ConfigObject source, string name, IReadOnlyList<int> sizes) =>
        sizes is [int rows and > 0, int columns and > 0] && columns % Float8Panel.GroupColumns == 0
            ? (rows, columns)
            : throw source.Error(
                $"\"{name}\" is [{string.Join(", ", sizes)}]; two sizes were expected, the columns a multiple of {Float8Panel.GroupColumns}");

    private static ModuleList Ignored(ConfigObject source, params ReadOnlySpan<string> names)
    {
        var entries = new List<string>();
        foreach (string name in names)
        {
            entries.AddRange(source.Texts(name) ?? []);
        }

        try
        {
            return ModuleList.Parse(entries);
        }
        catch (ArgumentException e)
        {
            throw source.Error($"\"{names[0]}\" has a malformed expression: {e.Message.ReplaceLineEndings(" ")}");
        }
    }
}
