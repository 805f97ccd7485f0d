using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Compute.Cuda;
using Sluice.Models;

namespace Sluice.Execution;

/// <summary>Turns <c>--device</c> into a backend: what was asked for or an error that says what is missing, or the best that works.</summary>
internal static class DeviceSelector
{
    // There whenever the kernel's driver runs, whether its user-space library can be loaded or not.
    private const string DriverNode = "/dev/nvidiactl";

    // Nothing beyond dense models.
    private const ModelFeatures CudaFeatures = ModelFeatures.None;

    /// <param name="options">Device, types, threads.</param>
    /// <param name="config">The model, whose needs and whose stored type decides where the user does not.</param>
    /// <returns>The backend, the options with what was chosen filled in, and a line for the user when a GPU lies idle.</returns>
    /// <exception cref="UserErrorException">The device that was asked for cannot be used, or not as asked.</exception>
    public static (IBackend Backend, EngineOptions Options, string? Notice) Create(EngineOptions options, ModelConfig config)
    {
        if (options.Device == DeviceKind.Cpu)
        {
            return (new CpuBackend(options.CpuThreads), options, null);
        }

        string reason;
        if (CudaGap(config) is { } gap)
        {
            return options.Device == DeviceKind.Cuda
                ? throw new UserErrorException($"--device cuda: {gap}; use --device cpu")
                : (new CpuBackend(options.CpuThreads), options with { Device = DeviceKind.Cpu }, IdleGpuNotice(gap));
        }

        try
        {
            // Without a context, which takes a moment: a machine without a GPU must not pay for the question.
            if (options.Device == DeviceKind.Cuda || CudaDevice.Count() > 0)
            {
                return CreateCuda(options, config);
            }

            return (new CpuBackend(options.CpuThreads), options with { Device = DeviceKind.Cpu }, null);
        }
        catch (CudaUnavailableException missing)
        {
            reason = missing.Message;
        }

        if (options.Device == DeviceKind.Cuda)
        {
            throw new UserErrorException($"--device cuda: {reason}");
        }

        return (new CpuBackend(options.CpuThreads), options with { Device = DeviceKind.Cpu }, IdleGpuNotice(reason));
    }

    /// <summary>Why the model cannot run on a GPU, or none when it can.</summary>
    public static string? CudaGap(ModelConfig config)
    {
        ModelFeatures missing = config.RequiredFeatures & ~CudaFeatures;
        return missing == ModelFeatures.None ? null : $"{config.Architecture} needs what only the CPU has ({missing.Describe()})";
    }

    private static string? IdleGpuNotice(string reason) =>
        File.Exists(DriverNode) ? $"The GPU of this machine is not used, the CPU is: {reason}" : null;

    private static (IBackend Backend, EngineOptions Options, string? Notice) CreateCuda(EngineOptions options, ModelConfig config)
    {
        DType type = CudaType(options, config);
        if (options.KvCacheDType is DType kvType && kvType != type && kvType != DType.Float8E4M3)
        {
            throw new UserErrorException(
                $"--kv-cache-dtype {kvType.Name()}: on a GPU the KV cache is {type.Name()}, as activations are, or fp8; leave the flag out or use --device cpu.");
        }

        return (
            new CudaBackend(ordinal: 0, type, options.BatchInvariant),
            options with { Device = DeviceKind.Cuda, DType = type },
            null);
    }

    /// <summary>Type of activations and weights: tensor cores take 16 bits, and float32 checkpoints fit the range of bfloat16.</summary>
    private static DType CudaType(EngineOptions options, ModelConfig config) => (options.DType ?? config.StoredType) switch
    {
        DType.Float16 => DType.Float16,
        DType.Float32 when options.DType is not null => throw new UserErrorException(
            "--dtype float32: a GPU computes in bfloat16 or float16; use --dtype bfloat16, or --device cpu for float32."),
        _ => DType.BFloat16,
    };
}
