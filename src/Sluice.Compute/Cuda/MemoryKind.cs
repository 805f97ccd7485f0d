namespace Sluice.Compute.Cuda;

/// <summary>What device memory is used for.</summary>
internal enum MemoryKind
{
    Weights,
    Tensors,
    KvCache,
    Scratch,
}
