using Sluice.Compute.Cpu;

namespace Sluice.Compute.Tests.Cpu;

public sealed class MachineMeasurementTests
{
    [Fact]
    public void Measure_SmallBuffer_GivesPlausibleLimits()
    {
        using MachineMeasurement machine = new(threads: 2, bufferBytes: 32 << 20);

        // Far below and above what any machine with .NET does.
        Assert.InRange(machine.MeasureReadBandwidth(1), 1e7, 1e14);
        Assert.InRange(machine.MeasureFmaPeak(1), 1e7, 1e15);
        Assert.Equal(2, machine.Threads);
    }
}
