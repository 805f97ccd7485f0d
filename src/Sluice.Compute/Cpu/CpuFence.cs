namespace Sluice.Compute.Cpu;

/// <summary>Operations of the processor have finished when they return, so a mark is reached as soon as it is recorded.</summary>
internal sealed class CpuFence : Fence
{
    public override bool IsReached => true;

    public override void Record()
    {
    }

    public override void Wait()
    {
    }

    public override void Dispose()
    {
    }
}
