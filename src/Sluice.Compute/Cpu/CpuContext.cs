namespace Sluice.Compute.Cpu;

/// <summary>What operations need of the backend that runs them.</summary>
/// <param name="Pool">Threads.</param>
/// <param name="Scratch">Working memory.</param>
internal sealed record CpuContext(WorkerPool Pool, ScratchMemory Scratch)
{
    // Below this much work the wake-up of other threads costs more than it saves (measured: a dispatch takes 1 to 5 us).
    private const long MinElementsPerPart = 16 * 1024;

    /// <summary>Into how many parts to split rows of cheap elementwise work.</summary>
    public int PartsFor(long rows, long elementsPerRow)
        => (int)Math.Clamp(rows * elementsPerRow / MinElementsPerPart, 1, Math.Min(Math.Max(rows, 1), Pool.Threads * 4L));

    /// <summary>Rows of part <paramref name="index"/> of <paramref name="parts"/>.</summary>
    public static (int Start, int End) Range(int rows, int index, int parts)
        => ((int)((long)rows * index / parts), (int)((long)rows * (index + 1) / parts));
}
