namespace Sluice.Models;

/// <summary>What the registry knows of an architecture.</summary>
internal sealed record ModelFamily
{
    /// <summary>Adds to the configuration what only this family reads or fixes: layers, biases, scales.</summary>
    public required Func<ConfigObject, ModelConfig, ModelConfig> Configure { get; init; }

    /// <summary>Makes the model from its configuration: asks the builder for every tensor by name and shape.</summary>
    public required Func<ModelBuilder, ICausalLm> Create { get; init; }

    /// <summary>A JSON object with the values that the family's published configurations leave out.</summary>
    public string Defaults { get; init; } = "{}";

    /// <summary>True when max_position_embeddings is the length after rotary scaling, whatever the scaling is.</summary>
    public bool PositionsIncludeScaling { get; init; }

    /// <summary>The quantization of released checkpoints that the family's file reads by itself, or none.</summary>
    public string? OwnQuantization { get; init; }
}
