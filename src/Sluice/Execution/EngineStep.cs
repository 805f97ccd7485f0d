using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>A plan and its result, handed to the rank thread and back. Two of them are enough for one running and one queued step.</summary>
internal sealed class EngineStep(BatchPlan plan, StepResult result)
{
    private volatile bool _isForwarded;

    public BatchPlan Plan => plan;

    public StepResult Result => result;

    /// <summary>The model ran; only logits and sampling are left. Set on the rank thread.</summary>
    public bool IsForwarded
    {
        get => _isForwarded;
        set => _isForwarded = value;
    }
}
