namespace Sluice.Compute.Cuda;

/// <summary>The kind of chip and the activation type that kernels are compiled for.</summary>
/// <param name="Level">
/// What kernels see as <c>SLUICE_ARCH</c>: 80, 86, 89 or 90. Only 90 may use what sm_90a alone has (wgmma). Newer chips get PTX for
/// compute_90, which the driver translates and which lacks that, so they are 89 here.
/// </param>
/// <param name="Architecture">NVRTC's <c>--gpu-architecture</c>.</param>
/// <param name="ActivationType">bfloat16 or float16.</param>
internal readonly record struct KernelTarget(int Level, string Architecture, DType ActivationType)
{
    /// <summary>The result is PTX, to be translated by the driver.</summary>
    public bool IsPtx => Architecture.StartsWith("compute_", StringComparison.Ordinal);

    /// <summary>Kernels are compiled with the wait for the kernel ahead of them, so they may be launched before it ends.</summary>
    public bool HasDependentLaunch => Level >= 90;

    /// <param name="computeCapability">90 for 9.0.</param>
    /// <param name="activationType">bfloat16 or float16.</param>
    /// <exception cref="CudaUnavailableException">The chip is older than 8.0.</exception>
    public static KernelTarget For(int computeCapability, DType activationType)
    {
        if (activationType is not (DType.BFloat16 or DType.Float16))
        {
            throw new ArgumentOutOfRangeException(nameof(activationType), activationType, "Kernels work in bfloat16 or float16.");
        }

        return computeCapability switch
        {
            < 80 => throw new CudaUnavailableException(
                $"The GPU has compute capability {computeCapability / 10}.{computeCapability % 10}, Sluice needs 8.0 (Ampere) or newer; choose another GPU with CUDA_VISIBLE_DEVICES or use --device cpu."),
            90 => new KernelTarget(90, "sm_90a", activationType),
            >= 90 => new KernelTarget(89, "compute_90", activationType),
            89 => new KernelTarget(89, "sm_89", activationType),
            >= 86 => new KernelTarget(86, "sm_86", activationType),
            _ => new KernelTarget(80, "sm_80", activationType),
        };
    }

    /// <summary>Options of the compiler, in order; part of the key of the cache.</summary>
    public string[] CompilerOptions(KernelDefines defines) =>
    [
        "--gpu-architecture=" + Architecture,
        "--std=c++17",
        "--device-as-default-execution-space",
        "--generate-line-info",
        $"-DSLUICE_ARCH={Level}",
        ActivationType == DType.BFloat16 ? "-DSLUICE_BF16=1" : "-DSLUICE_F16=1",
        .. defines.Words().Select(word => "-D" + word),
    ];
}
