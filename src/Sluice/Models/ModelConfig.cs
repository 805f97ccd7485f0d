using Sluice.Compute;
using Sluice.Weights.Quantization;

namespace Sluice.Models;

/// <summary>What config.json says of a model, in one dialect, checked. Made by <see cref="ModelConfigReader"/>.</summary>
internal sealed record ModelConfig
{
    /// <summary>architectures[0], such as <c>LlamaForCausalLM</c>.</summary>
    public required string Architecture { get; init; }

    public required int HiddenSize { get; init; }

    public required int LayerCount { get; init; }

    public required int Heads { get; init; }

    public required int KvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required int IntermediateSize { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Longest context that the positions of the model allow (scaling included).</summary>
    public required int MaxPositions { get; init; }

    public required float RmsNormEpsilon { get; init; }

    public required Activation Activation { get; init; }

    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Biases on the query, key and value projections.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>A bias on the projection after attention.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>A norm on each head of queries and keys, where the family leaves that to the file.</summary>
    public bool HeadNorms { get; init; }

    /// <summary>Biases on the feed-forward projections.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Factor of the dot products of queries and keys.</summary>
    public required float AttentionScale { get; init; }

    /// <summary>Attention scores are capped at this by tanh; 0 for none.</summary>
    public float AttentionSoftCap { get; init; }

    /// <summary>Logits are capped at this by tanh; 0 for none.</summary>
    public float LogitSoftCap { get; init; }

    /// <summary>Type that the checkpoint's weights are stored in.</summary>
    public DType StoredType { get; init; } = DType.BFloat16;

    /// <summary>Ids that end a sequence: those of config.json and of generation_config.json.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? BosTokenId { get; init; }

    public int? PadTokenId { get; init; }

    /// <summary>The mixture of experts; none in dense models.</summary>
    public MoeConfig? Moe { get; init; }

    /// <summary>Width of the widest feed-forward that every token goes through; 0 when all of them are chosen.</summary>
    public int DenseWidth => Moe is null ? IntermediateSize : Math.Max(Moe.HasDenseLayers ? IntermediateSize : 0, Moe.SharedWidth);

    /// <summary>What the model needs of a device beyond the operations of a dense model.</summary>
    public ModelFeatures RequiredFeatures =>
        (Moe is null ? ModelFeatures.None : ModelFeatures.Experts) | (Latent is null ? ModelFeatures.None : ModelFeatures.LatentAttention)
            | (Quantization is null ? ModelFeatures.None : ModelFeatures.ScaledWeights);

    /// <summary>How weights are scaled; none where they are not.</summary>
    public QuantizationConfig? Quantization { get; init; }

    /// <summary>The dimensions of latent attention; none in models that cache keys and values of heads.</summary>
    public LatentAttentionConfig? Latent { get; init; }

    /// <summary>What a layer's cache holds of a token.</summary>
    public KvCacheShape KvCache => Latent is { } latent
        ? new KvCacheShape(1, latent.CachedDim, latent.KvRank, ValuesInKeys: true)
        : new KvCacheShape(KvHeads, HeadDim, HeadDim, ValuesInKeys: false);

    /// <summary>Width of what attention projects the input to and keeps to itself.</summary>
    public int ProjectedWidth => Latent is { } latent ? Heads * latent.QueryDim : (Heads + (2 * KvHeads)) * HeadDim;

    /// <summary>Width of what all heads attend to.</summary>
    public int AttendedWidth => Heads * (Latent?.ValueDim ?? HeadDim);

    /// <summary>Window and rotary parameters of each layer.</summary>
    public required IReadOnlyList<LayerConfig> Layers { get; init; }

    /// <summary>Bytes of the cache that one token takes in all layers together.</summary>
    public long KvBytesPerToken(DType kvType) => LayerCount * KvCache.ElementsPerToken * kvType.SizeBytes();
}

/// <summary>What differs from layer to layer.</summary>
/// <param name="Window">Sliding window in tokens; 0 for full attention.</param>
/// <param name="Rope">Rotary parameters.</param>
internal sealed record LayerConfig(int Window, RopeParameters Rope);
