using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>A plan and its result, handed to the rank thread and back. Two of them are enough for one running and one queued step.</summary>
internal sealed class EngineStep(BatchPlan plan, StepResult result)
{
    private volatile bool _isForwarded;

    public BatchPlan Plan => plan;

    public StepResult Result => result;

    /// <summary>It is time to plan the step after this one. Set on the rank thread.</summary>
    public bool IsForwarded
    {
        get => _isForwarded;
        set => _isForwarded = value;
    }

    /// <summary>When the rank thread took it, in Stopwatch ticks.</summary>
    public long LaunchedAt { get; set; }

    /// <summary>When its results were there, in Stopwatch ticks.</summary>
    public long FinishedAt { get; set; }
}
