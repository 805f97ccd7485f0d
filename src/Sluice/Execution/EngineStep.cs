using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>A plan and its result, handed to the rank thread and back. Two of them are enough for one running and one queued step.</summary>
internal sealed class EngineStep(BatchPlan plan, StepResult result)
{
    public BatchPlan Plan => plan;

    public StepResult Result => result;
}
