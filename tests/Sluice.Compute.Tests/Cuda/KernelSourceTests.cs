using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

public sealed class KernelSourceTests
{
    [Fact]
    public void All_EmbeddedSources_LoadWithTheirHeaders()
    {
        Assert.NotEmpty(KernelSource.All());
        foreach (string name in KernelSource.All())
        {
            KernelSource source = KernelSource.Load(name);
            Assert.Contains("__global__", source.Text, StringComparison.Ordinal);
            Assert.Same(source, KernelSource.Load(name));
        }
    }

    [Fact]
    public void FromText_IndirectHeaders_AreIncludedOnce()
    {
        KernelSource source = KernelSource.FromText("Ops/Made.cu", "  # include \"Reduce.cuh\" // why\n#include \"Types.cuh\"\n#include \"Reduce.cuh\"\n");
        Assert.Equal(["Reduce.cuh", "Types.cuh"], source.Includes.Select(include => include.Name));
        Assert.All(source.Includes, include => Assert.Contains("#pragma once", include.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void FromText_UnknownHeader_NamesFileAndHeader()
    {
        string message = Assert.Throws<InvalidOperationException>(() => KernelSource.FromText("Ops/Made.cu", "#include \"cuda_bf16.h\"\n")).Message;
        Assert.Contains("Ops/Made.cu", message, StringComparison.Ordinal);
        Assert.Contains("cuda_bf16.h", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_UnknownSource_NamesIt() =>
        Assert.Contains("Norm/Absent.cu", Assert.Throws<ArgumentException>(() => KernelSource.Load("Norm/Absent.cu")).Message, StringComparison.Ordinal);

    [Fact]
    public void FromText_SampleLines_AreRead()
    {
        KernelSource source = KernelSource.FromText("Ops/Made.cu", "// Rows.\n// samples: HEAD_DIM=64 GROUP=1 | HEAD_DIM=128  GROUP=4\n// samples: HEAD_DIM=80 GROUP=5\nint x;\n");
        Assert.Equal(["HEAD_DIM=64 GROUP=1", "HEAD_DIM=128 GROUP=4", "HEAD_DIM=80 GROUP=5"], source.Samples.Select(sample => sample.Text));
        Assert.Empty(KernelSource.FromText("Ops/Made.cu", "// no samples: here\n").Samples);
    }
}
