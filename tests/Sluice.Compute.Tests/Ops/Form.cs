namespace Sluice.Compute.Tests.Ops;

/// <summary>The forms that an operation has.</summary>
public enum Form
{
    /// <summary>The definition in plain loops, float32.</summary>
    Reference,

    /// <summary>Vectors of the CPU, float32.</summary>
    Simd,

    /// <summary>The GPU with bfloat16 activations.</summary>
    CudaBFloat16,

    /// <summary>The GPU with float16 activations.</summary>
    CudaFloat16,
}
