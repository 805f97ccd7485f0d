using Sluice.Compute;
using Sluice.Weights;

namespace Sluice.Models;

/// <summary>
/// Memory that a model takes on a device, found by running the model's own constructor without one: the loader and every plan
/// use the same shapes.
/// </summary>
/// <param name="WeightBytes">Weights, norms and biases.</param>
/// <param name="WorkspaceBytes">Activation buffers for a full batch, and rotary tables.</param>
/// <param name="KvBytesPerToken">Keys and values of one token in all layers.</param>
internal sealed record ModelMemory(long WeightBytes, long WorkspaceBytes, long KvBytesPerToken)
{
    /// <summary>Part of the workspace that grows with the batch.</summary>
    public long ActivationBytesPerToken { get; init; }

    /// <summary>Layers of the model.</summary>
    public int LayerCount { get; init; }

    /// <param name="config">The model.</param>
    /// <param name="limits">Largest batch and longest context.</param>
    /// <param name="weightType">Type of weights; none for the stored one.</param>
    /// <param name="activationType">The device's type of activations.</param>
    /// <param name="kvType">Type of the cache.</param>
    /// <param name="checkpoint">Where stored types are looked up; none for the type that the configuration names.</param>
    public static ModelMemory Plan(
        ModelConfig config, BuildLimits limits, DType? weightType, DType activationType, DType kvType, ICheckpoint? checkpoint = null)
    {
        var builder = ModelBuilder.ForPlanning(config, limits, weightType, activationType, checkpoint);
        ModelRegistry.Find(config.Architecture, "config.json").Create(builder);
        return new ModelMemory(builder.WeightBytes, builder.WorkspaceBytes, config.KvBytesPerToken(kvType))
        {
            ActivationBytesPerToken = builder.ActivationBytesPerToken,
            LayerCount = config.LayerCount,
        };
    }
}
