using Sluice.Execution;

namespace Sluice.Tests.Execution;

public sealed class GraphSizesTests
{
    private static readonly EngineOptions Standard = new() { Model = "m" };

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(3, new[] { 1, 2, 3 })]
    [InlineData(8, new[] { 1, 2, 4, 8 })]
    [InlineData(20, new[] { 1, 2, 4, 8, 16, 20 })]
    public void Resolve_StandardSizes_EndAtTheLargestStep(int maxSequences, int[] expected) =>
        Assert.Equal(expected, GraphSizes.Resolve(Standard, maxSequences));

    [Fact]
    public void Resolve_ManySequences_EndsAt512InStepsOf16()
    {
        int[] sizes = GraphSizes.Resolve(Standard, 1024);
        Assert.Equal([1, 2, 4, 8, 16, 24], sizes[..6]);
        Assert.Equal([240, 248, 256, 272, 288], sizes.Where(static size => size is >= 240 and <= 288));
        Assert.Equal(512, sizes[^1]);
    }

    [Fact]
    public void Resolve_EagerOrZero_HasNone()
    {
        Assert.Empty(GraphSizes.Resolve(Standard with { EnforceEager = true }, 64));
        Assert.Empty(GraphSizes.Resolve(Standard with { MaxCudaGraphCaptureSize = 0 }, 64));
    }

    [Fact]
    public void Resolve_AskedSizes_AreSortedAndWithinTheStep() =>
        Assert.Equal([1, 5, 32], GraphSizes.Resolve(Standard with { CudaGraphCaptureSizes = [32, 5, 1, 5, 128] }, 64));

    [Fact]
    public void Resolve_Contradiction_NamesBoth()
    {
        EngineOptions options = Standard with { CudaGraphCaptureSizes = [1, 8], MaxCudaGraphCaptureSize = 16 };
        string message = Assert.Throws<UserErrorException>(() => GraphSizes.Resolve(options, 64)).Message;
        Assert.Contains("(16)", message, StringComparison.Ordinal);
        Assert.Contains("(8)", message, StringComparison.Ordinal);
    }
}
