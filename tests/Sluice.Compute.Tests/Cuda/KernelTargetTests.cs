using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

public sealed class KernelTargetTests
{
    [Theory]
    [InlineData(80, 80, "sm_80", false)]
    [InlineData(86, 86, "sm_86", false)]
    [InlineData(87, 86, "sm_86", false)]
    [InlineData(89, 89, "sm_89", false)]
    [InlineData(90, 90, "sm_90a", false)]
    [InlineData(100, 89, "compute_90", true)]
    [InlineData(120, 89, "compute_90", true)]
    public void For_ComputeCapability_ChoosesWhatTheChipRuns(int computeCapability, int level, string architecture, bool isPtx)
    {
        KernelTarget target = KernelTarget.For(computeCapability, DType.BFloat16);
        Assert.Equal((level, architecture, isPtx), (target.Level, target.Architecture, target.IsPtx));
    }

    [Fact]
    public void For_ChipOfTuring_SaysWhatIsNeeded()
    {
        string message = Assert.Throws<CudaUnavailableException>(() => KernelTarget.For(75, DType.Float16)).Message;
        Assert.Contains("7.5", message, StringComparison.Ordinal);
        Assert.Contains("8.0", message, StringComparison.Ordinal);
        Assert.Contains("--device cpu", message, StringComparison.Ordinal);
    }

    [Fact]
    public void For_Float32_IsRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => KernelTarget.For(90, DType.Float32));

    [Fact]
    public void CompilerOptions_TargetAndDefines_AreInOrder()
    {
        KernelDefines defines = new(("HEAD_DIM", 128), ("GROUP", 4));
        Assert.Equal(
            ["--gpu-architecture=sm_90a", "--std=c++17", "--device-as-default-execution-space", "--generate-line-info", "-DSLUICE_ARCH=90", "-DSLUICE_BF16=1", "-DHEAD_DIM=128", "-DGROUP=4"],
            KernelTarget.For(90, DType.BFloat16).CompilerOptions(defines));
        Assert.Contains("-DSLUICE_F16=1", KernelTarget.For(80, DType.Float16).CompilerOptions(KernelDefines.None));
    }

    [Fact]
    public void KernelDefines_SameText_AreEqual()
    {
        KernelDefines defines = new(("HEAD_DIM", 128), ("GROUP", 4));
        Assert.Equal(defines, KernelDefines.Parse("HEAD_DIM=128  GROUP=4"));
        Assert.Equal(defines.GetHashCode(), KernelDefines.Parse("HEAD_DIM=128 GROUP=4").GetHashCode());
        Assert.NotEqual(defines, new KernelDefines(("GROUP", 4), ("HEAD_DIM", 128)));
        Assert.Equal(KernelDefines.None, new KernelDefines());
    }
}
