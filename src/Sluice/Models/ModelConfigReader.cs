using Sluice.Compute;
using Sluice.Weights.Quantization;

namespace Sluice.Models;

/// <summary>Reads and checks config.json (and the end-of-sequence ids of generation_config.json). Needs no weights.</summary>
internal static class ModelConfigReader
{
    // Far above anything released; what is beyond is a damaged file, and must not become an allocation.
    private const int MaxLayers = 2_000;
    private const int MaxWidth = 1 << 20;
    private const int MaxVocabulary = 1 << 24;

    /// <summary>The configuration of the model of an engine, with what its options add.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public static ModelConfig Read(EngineOptions options) =>
        WeightQuantization.Apply(Read(options.Model, options.HfOverrides), options.Quantization);

    /// <param name="folder">The model folder.</param>
    /// <param name="hfOverrides">A JSON object whose keys win over those of config.json, or none.</param>
    /// <exception cref="UserErrorException">The folder or the file is missing, damaged, contradictory or of an unknown model.</exception>
    public static ModelConfig Read(string folder, string? hfOverrides)
    {
        if (!Directory.Exists(folder))
        {
            throw new UserErrorException($"The model folder {folder} does not exist");
        }

        string path = Path.Combine(folder, "config.json");
        if (!File.Exists(path))
        {
            throw new UserErrorException($"{folder} has no config.json; a folder in the Hugging Face layout was expected");
        }

        ConfigObject outer = ConfigObject.ReadFile(path, hfOverrides, "--hf-overrides");
        string architecture = outer.Texts("architectures") is [string first, ..]
            ? first
            : throw outer.Error("\"architectures\" is missing, so the kind of model is unknown");
        ModelFamily family = ModelRegistry.Find(architecture, path);
        ConfigObject source = outer.Descend("text_config").WithDefaults(family.Defaults);
        ModelConfig config = family.Configure(source, ReadCommon(source, architecture));
        if (!family.PositionsIncludeScaling)
        {
            config = config with { MaxPositions = RopeReader.ExtendedPositions(config.Layers[0].Rope, config.MaxPositions) };
        }

        CheckRope(source, config);
        return config with
        {
            EosTokenIds = ReadEosTokenIds(folder, source, config.VocabularySize),
            Quantization = ReadQuantization(folder, outer, source, family),
        };
    }

    private static ModelConfig ReadCommon(ConfigObject source, string architecture)
    {
        int hiddenSize = source.Required("hidden_size", 1, MaxWidth);
        int heads = source.Required("num_attention_heads", 1, MaxWidth);
        int kvHeads = source.Optional("num_key_value_heads", 1, MaxWidth) ?? heads;
        int? givenHeadDim = source.Optional("head_dim", 1, MaxWidth);
        if (heads % kvHeads != 0)
        {
            throw source.Error($"\"num_attention_heads\" {heads} is not a multiple of \"num_key_value_heads\" {kvHeads}");
        }

        if (givenHeadDim is null && hiddenSize % heads != 0)
        {
            throw source.Error($"\"hidden_size\" {hiddenSize} is not a multiple of \"num_attention_heads\" {heads}, and "
                + "there is no \"head_dim\"");
        }

        int headDim = givenHeadDim ?? hiddenSize / heads;
        if ((long)heads * headDim > MaxWidth)
        {
            throw source.Error($"\"num_attention_heads\" {heads} times \"head_dim\" {headDim} is over {MaxWidth}");
        }

        return new ModelConfig
        {
            Architecture = architecture,
            HiddenSize = hiddenSize,
            LayerCount = source.Required("num_hidden_layers", 1, MaxLayers),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            IntermediateSize = source.Required("intermediate_size", 1, MaxWidth),
            VocabularySize = source.Required("vocab_size", 1, MaxVocabulary),
            MaxPositions = source.Required("max_position_embeddings", 1, int.MaxValue),
            RmsNormEpsilon = (float)(source.Positive("rms_norm_eps") ?? 1e-6),
            Activation = ReadActivation(source),
            TieWordEmbeddings = source.Flag("tie_word_embeddings") ?? false,
            AttentionScale = (float)(1 / Math.Sqrt(headDim)),
            StoredType = ReadStoredType(source),
            BosTokenId = source.Integers("bos_token_id") is [int bos, ..] ? bos : null,
            PadTokenId = source.Integers("pad_token_id") is [int pad, ..] ? pad : null,
            Layers = [],
        };
    }

    private static Activation ReadActivation(ConfigObject source)
    {
        string name = source.Text("hidden_activation") ?? source.Text("hidden_act") ?? throw source.Error("\"hidden_act\" is missing");
        return name switch
        {
            "silu" or "swish" => Activation.Silu,
            "gelu_pytorch_tanh" or "gelu_new" => Activation.GeluTanh,
            "gelu" => Activation.Gelu,
            _ => throw source.Error($"activation \"{name}\" is not supported; supported are silu, gelu_pytorch_tanh and gelu"),
        };
    }

    private static DType ReadStoredType(ConfigObject source)
    {
        string? name = source.Text("dtype") ?? source.Text("torch_dtype");
        return name switch
        {
            null or "auto" or "bfloat16" or "torch.bfloat16" => DType.BFloat16,
            "float16" or "torch.float16" or "half" => DType.Float16,
            "float32" or "torch.float32" or "float" => DType.Float32,
            _ => throw source.Error($"\"dtype\" {name} is not supported; supported are bfloat16, float16 and float32"),
        };
    }

    private static QuantizationConfig? ReadQuantization(string folder, ConfigObject outer, ConfigObject source, ModelFamily family)
    {
        if (family.OwnQuantization is { } own && source.Object("quantization_config")?.Text("quant_method") == own)
        {
            return null;
        }

        string modelOpt = Path.Combine(folder, "hf_quant_config.json");
        return QuantizationReader.Read(outer) ?? QuantizationReader.Read(source)
            ?? (File.Exists(modelOpt) ? QuantizationReader.ReadModelOptFile(modelOpt) : null);
    }

    private static void CheckRope(ConfigObject source, ModelConfig config)
    {
        foreach (LayerConfig layer in config.Layers)
        {
            int rotaryDim = layer.Rope.RotaryDim(config.HeadDim);
            if (rotaryDim < 2 || rotaryDim % 2 != 0)
            {
                throw source.Error($"{rotaryDim} of {config.HeadDim} elements of a head would be rotated; an even number, at "
                    + "least 2, was expected");
            }

            CheckFactors(source, "short_factor", layer.Rope.ShortFactors, rotaryDim);
            CheckFactors(source, "long_factor", layer.Rope.LongFactors, rotaryDim);
        }
    }

    private static void CheckFactors(ConfigObject source, string name, IReadOnlyList<double> factors, int rotaryDim)
    {
        if (factors.Count != 0 && factors.Count != rotaryDim / 2)
        {
            throw source.Error($"\"{name}\" has {factors.Count} entries; {rotaryDim / 2} were expected, one for two rotated "
                + "elements of a head");
        }
    }

    private static List<int> ReadEosTokenIds(string folder, ConfigObject source, int vocabularySize)
    {
        var ids = new List<int>(source.Integers("eos_token_id"));
        foreach (int id in GenerationDefaults.Read(folder, "auto", null).EosTokenIds)
        {
            if (!ids.Contains(id))
            {
                ids.Add(id);
            }
        }

        foreach (int id in ids)
        {
            if (id < 0 || id >= vocabularySize)
            {
                throw source.Error($"\"eos_token_id\" {id} is outside of the vocabulary of {vocabularySize}");
            }
        }

        return ids;
    }
}
