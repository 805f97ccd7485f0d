using System.Diagnostics;
using Sluice.Compute;
using Sluice.Compute.Cuda;
using Sluice.KvCache;

namespace Sluice.Execution;

/// <summary>One part of an engine's start.</summary>
/// <param name="Name">What came into being.</param>
/// <param name="Elapsed">Time it took.</param>
/// <param name="PlannedBytes">Memory of the GPU that the plan gave it.</param>
/// <param name="MeasuredBytes">Memory of the GPU that was free before and is not any more.</param>
internal readonly record struct StartupStage(string Name, TimeSpan Elapsed, long PlannedBytes, long MeasuredBytes);

/// <summary>
/// What the start took, part by part: time, and on a GPU the memory, planned against measured. Other processes that take or give back
/// memory meanwhile are in the measured figures.
/// </summary>
/// <param name="backend">The device.</param>
/// <param name="isGpu">Memory is measured.</param>
/// <param name="start">When the first part began, in Stopwatch ticks.</param>
internal sealed class StartupReport(IBackend backend, bool isGpu, long start)
{
    /// <summary>Name of the part that loads the weights.</summary>
    public const string Weights = "reading weights";

    private readonly List<StartupStage> _stages = [];
    private long _stageStart = start;
    private long _freeBytes = isGpu ? backend.Memory.TotalBytes : 0;

    public IReadOnlyList<StartupStage> Stages => _stages;

    /// <summary>What was compiled for the GPU in this process; null on a CPU.</summary>
    public KernelBuilder? Kernels { get; } = isGpu ? CudaBackend.Builder : null;

    /// <summary>Time that the weights took.</summary>
    public TimeSpan WeightsElapsed => _stages.Find(static stage => stage.Name == Weights).Elapsed;

    /// <summary>Memory of the GPU; 0 on a CPU.</summary>
    public long TotalBytes { get; } = isGpu ? backend.Memory.TotalBytes : 0;

    /// <summary>A part is complete.</summary>
    /// <param name="name">What it is, in a word or a few.</param>
    /// <param name="plannedBytes">Of the <see cref="MemoryPlan"/>.</param>
    public void Add(string name, long plannedBytes = 0)
    {
        long free = isGpu ? backend.Memory.AvailableBytes : 0;
        _stages.Add(new StartupStage(name, Stopwatch.GetElapsedTime(_stageStart), plannedBytes, _freeBytes - free));
        _freeBytes = free;
        _stageStart = Stopwatch.GetTimestamp();
    }
}
