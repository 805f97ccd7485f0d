namespace Sluice.Compute;

/// <summary>Root mean square norms of the heads of queries and keys, as <see cref="IBackend.RmsNorm"/> over groups of a head's width.</summary>
/// <param name="QueryGain">float32 [1, keyDim].</param>
/// <param name="KeyGain">float32 [1, keyDim].</param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="GainOffset">1 for models that store gain - 1, else 0.</param>
public readonly record struct HeadNorms(Tensor QueryGain, Tensor KeyGain, float Epsilon, float GainOffset);
