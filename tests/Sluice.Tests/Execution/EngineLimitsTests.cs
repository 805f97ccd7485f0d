using Sluice.Execution;

namespace Sluice.Tests.Execution;

public sealed class EngineLimitsTests
{
    [Theory]
    [InlineData(0, 2048, 128)]
    [InlineData(24, 2048, 256)]
    [InlineData(79, 8192, 1024)]
    [InlineData(183, 16384, 1024)]
    public void Defaults_FollowTheDevice_AsInVllm(int gpuGiB, int tokens, int sequences) =>
        Assert.Equal((tokens, sequences), EngineLimits.Defaults(gpuGiB == 0 ? null : (long)gpuGiB << 30));

    [Fact]
    public void SwapSpaceBytes_LeftOut_IsForGpusOnly()
    {
        var options = new EngineOptions { Model = "m" };
        Assert.Equal(0, EngineLimits.SwapSpaceBytes(options with { Device = DeviceKind.Cpu }));
        Assert.InRange(EngineLimits.SwapSpaceBytes(options with { Device = DeviceKind.Cuda }), 1, 4L << 30);
        Assert.Equal(1L << 29, EngineLimits.SwapSpaceBytes(options with { Device = DeviceKind.Cpu, SwapSpaceGiB = 0.5 }));
        Assert.Equal(0, EngineLimits.SwapSpaceBytes(options with { SwapSpaceGiB = 0.5, PreemptionMode = PreemptionMode.Recompute }));
    }

    [Fact]
    public void SwapSpaceBytes_MoreThanTheMachineHas_IsRefused()
    {
        string message = Assert.Throws<UserErrorException>(() => EngineLimits.SwapSpaceBytes(new EngineOptions { Model = "m", SwapSpaceGiB = 1e6 })).Message;
        Assert.StartsWith("Too large swap space. 1000000 GiB out of the ", message, StringComparison.Ordinal);
    }
}
