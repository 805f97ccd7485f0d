using System.Diagnostics;
using Sluice.Compute;
using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;
using Sluice.Models;

namespace Sluice.Execution;

/// <summary>What a walk through a model's start has put into the kernel cache.</summary>
/// <param name="ComputeCapabilities">Kinds of GPU: 90 for 9.0.</param>
/// <param name="CompiledCount">Kernels that were compiled.</param>
/// <param name="CachedCount">Kernels that were there already.</param>
/// <param name="CompilerVersion">NVRTC's version; the program uses the cache with the same one.</param>
/// <param name="Folder">Where they are.</param>
/// <param name="Duration">Of everything.</param>
internal sealed record KernelWarmUpReport(
    IReadOnlyList<int> ComputeCapabilities, int CompiledCount, int CachedCount, string CompilerVersion, string Folder, TimeSpan Duration);

/// <summary>
/// Compiles the kernels of a model ahead of its first start, such as for a container image. The engine is put together as always, on a
/// device that does nothing, without weights; what it would launch is compiled. Needs config.json and NVRTC, no GPU and no driver.
/// For a process of its own: no GPU can be used in it afterwards.
/// </summary>
internal static class KernelWarmUp
{
    /// <param name="options">As the engine will be started.</param>
    /// <param name="computeCapabilities">Kinds of GPU; empty for those of this machine.</param>
    /// <param name="cancellation">Stops between two kinds.</param>
    /// <exception cref="UserErrorException">There is no GPU and none is named, NVRTC is missing, the cache cannot be written, or the model cannot be served.</exception>
    public static KernelWarmUpReport Run(EngineOptions options, IReadOnlyList<int> computeCapabilities, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        IReadOnlyList<int> machine = DryDevice.TurnOn();
        IReadOnlyList<int> chips = computeCapabilities.Count > 0 ? computeCapabilities : machine;
        if (chips.Count == 0)
        {
            throw new UserErrorException("this machine has no GPU to compile for; name the kinds of GPU that the kernels are for, such as --arch 80,90.");
        }

        ModelConfig config = ModelConfigReader.Read(options);
        options = options with
        {
            Device = DeviceKind.Cuda,
            LoadFormat = LoadFormat.Dummy,
            LoadsWeights = false,
            SkipTokenizerInit = true,
            SwapSpaceGiB = 0,
            // Enough for one sequence. The device's memory is as large as need be, and blocks would be too many.
            NumGpuBlocksOverride = (Math.Min(options.MaxModelLen ?? config.MaxPositions, config.MaxPositions) / 16) + 2,
        };
        KernelBuilder builder = CudaBackend.Builder;
        try
        {
            string version = builder.CompilerVersion;
            foreach (int computeCapability in chips)
            {
                cancellation.ThrowIfCancellationRequested();
                DryDevice.ComputeCapability = computeCapability;
                EngineParts parts = EngineBuilder.Build(options, progress: null, cancellation);
                parts.Loop.Dispose();

                // Those that one form serves for every model come along: a start may need them later, as preemption does.
                KernelTarget target = KernelTarget.For(computeCapability, parts.Options.DType ?? DType.BFloat16);
                foreach (string source in KernelSource.All())
                {
                    if (KernelSource.Load(source).Samples.Count == 0)
                    {
                        _ = builder.Start(source, target, KernelDefines.None);
                    }
                }
            }

            builder.WaitForAll();
            return builder.Cache.Problem is { } problem
                ? throw new UserErrorException(problem)
                : new KernelWarmUpReport(chips, builder.CompiledCount, builder.CachedCount, version, builder.Cache.Folder!, clock.Elapsed);
        }
        catch (CudaUnavailableException missing)
        {
            throw new UserErrorException(missing.Message);
        }
    }
}
