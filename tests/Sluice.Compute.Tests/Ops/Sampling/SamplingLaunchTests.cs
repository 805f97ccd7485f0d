using System.Globalization;
using System.Text.RegularExpressions;
using Sluice.Compute.Cuda;
using Sluice.Compute.Ops.Sampling;

namespace Sluice.Compute.Tests.Ops.Sampling;

public sealed partial class SamplingLaunchTests
{
    private const int MultiprocessorsOfH100 = 132;

    [Theory]
    [InlineData(1, 128_256, 8)]
    [InlineData(64, 128_256, 2)]
    [InlineData(20, 128_256, 4)]
    [InlineData(256, 128_256, 1)]
    [InlineData(16, 128_256, 8)]
    [InlineData(1, 777, 1)]
    [InlineData(1, 32_000, 8)]
    public void ClusterSize_AnyBatch_FillsTheChip(int rows, int vocabulary, int expected) =>
        Assert.Equal(expected, SamplingLaunch.ClusterSize(rows, vocabulary, MultiprocessorsOfH100));

    [Theory]
    [InlineData(128_256, 8, 1024 + 8192 + 16_384 + (126 * 4))]
    [InlineData(262_208, 1, 1024 + 8192 + (2049 * 8) + (2049 * 4))]
    [InlineData(1, 1, 1024 + 8192 + 16_384 + 4)]
    public void SharedBytes_AnyVocabulary_HoldsWhatTheKernelsLayOut(int vocabulary, int cluster, int expected) =>
        Assert.Equal(expected, SamplingLaunch.SharedBytes(vocabulary, cluster));

    [Fact]
    public void Constants_OfTheKernels_AreTheLaunchers()
    {
        string text = KernelSource.Load("Sampling/SampleTokens.cu").Includes.First(include => include.Name == "LogitsRow.cuh").Text;
        Dictionary<string, int> defined = Constants().Matches(text)
            .ToDictionary(match => match.Groups[1].Value, match => int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture));
        int blocks = 3000;
        Assert.Equal(
            defined["ROW_CONTROL_BYTES"] + (defined["ROW_BINS"] * 4) + (Math.Max(blocks, defined["ROW_LIST"]) * 8) + (blocks * 4),
            SamplingLaunch.SharedBytes(blocks * defined["ROW_BLOCK"], 1));
        Assert.Equal(defined["MAX_CLUSTER"], SamplingLaunch.ClusterSize(1, 128_256, MultiprocessorsOfH100));
        Assert.Equal(SamplingLaunch.Threads, defined["ROW_THREADS"]);
        Assert.Equal(defined["ROW_THREADS"] / 32, defined["ROW_WARPS"]);
    }

    [GeneratedRegex(@"^#define (\w+) (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Constants();
}
