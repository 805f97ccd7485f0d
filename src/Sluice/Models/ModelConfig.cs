using Sluice.Compute;

namespace Sluice.Models;

/// <summary>What config.json says of a model, in one dialect, checked.</summary>
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

    /// <summary>Type that the checkpoint's weights are stored in.</summary>
    public DType StoredType { get; init; } = DType.BFloat16;

    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? BosTokenId { get; init; }

    public int? PadTokenId { get; init; }

    /// <summary>Window and rotary parameters of each layer.</summary>
    public required IReadOnlyList<LayerConfig> Layers { get; init; }
}

/// <summary>What differs from layer to layer.</summary>
/// <param name="Window">Sliding window in tokens; 0 for full attention.</param>
/// <param name="Rope">Rotary parameters.</param>
internal sealed record LayerConfig(int Window, RopeParameters Rope);

/// <summary>Rotary parameters in the one form that both dialects of config.json are read into.</summary>
internal sealed record RopeParameters
{
    /// <summary><c>default</c>, <c>linear</c>, <c>dynamic</c>, <c>llama3</c>, <c>yarn</c> or <c>longrope</c>.</summary>
    public string Type { get; init; } = "default";

    public double Theta { get; init; } = 10_000;
}
