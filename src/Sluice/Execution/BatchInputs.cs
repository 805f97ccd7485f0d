using Sluice.Compute;

namespace Sluice.Execution;

/// <summary>A step's batch as the model sees it, on the device. Made by ModelRunner for one forward pass; passed down, never global.</summary>
/// <param name="TokenIds">int32 [1, tokens].</param>
/// <param name="Plan">Rows, positions, contexts, block tables and slots.</param>
/// <param name="KvLayers">The cache, one entry a layer.</param>
internal readonly record struct BatchInputs(Tensor TokenIds, AttentionPlan Plan, IReadOnlyList<KvLayer> KvLayers);
