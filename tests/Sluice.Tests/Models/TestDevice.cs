using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Compute.Cuda;

namespace Sluice.Tests.Models;

/// <summary>A device that models are tested on, and how exact it is.</summary>
internal sealed class TestDevice : IDisposable
{
    private TestDevice(IBackend backend)
    {
        Backend = backend;
    }

    /// <summary>All of them, as rows of a theory.</summary>
    public static TheoryData<string> Names { get; } = ["cpu", "cuda bfloat16", "cuda float16"];

    public IBackend Backend { get; }

    /// <summary>What the results of operations are rounded to: float32 on the CPU.</summary>
    public DType RoundsTo => Backend.ActivationType;

    /// <summary>Largest difference of a trained model's logprob to one that was computed in float32.</summary>
    public required double Tolerance { get; init; }

    /// <summary>Largest difference of the mean logprob of a text.</summary>
    public required double MeanTolerance { get; init; }

    /// <summary>Where the two best logprobs of the reference are closer than this, the device may choose the other.</summary>
    public required double FirmMargin { get; init; }

    /// <summary>How much less likely than the device's own choice the reference's may be where no margin is known.</summary>
    public double GreedyMargin => Backend is CpuBackend ? 0 : FirmMargin;

    /// <summary>The device, or the test is skipped.</summary>
    public static TestDevice Open(string name, bool batchInvariant = false)
    {
        if (name == "cpu")
        {
            // Sums of a few hundred float32 products in another order differ by 1e-5 or so; a wrong scale, window or angle by far more.
            return new TestDevice(new CpuBackend()) { Tolerance = 2e-3, MeanTolerance = 1e-3, FirmMargin = 0.01 };
        }

        string? missing = WhyMissing();
        Assert.SkipWhen(missing is not null, missing ?? "");

        DType type = name == "cuda float16" ? DType.Float16 : DType.BFloat16;
        return new TestDevice(new CudaBackend(activationType: type, batchInvariant: batchInvariant))
        {
            Tolerance = type == DType.Float16 ? 3e-2 : 0.15,
            MeanTolerance = 1e-2,
            FirmMargin = 0.1,
        };
    }

    public void Dispose() => Backend.Dispose();

    private static string? WhyMissing()
    {
        try
        {
            return CudaDevice.Count() > 0 ? null : "This machine has no NVIDIA GPU.";
        }
        catch (CudaUnavailableException missing)
        {
            return missing.Message;
        }
    }
}
