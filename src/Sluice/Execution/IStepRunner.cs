using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>Turns a plan into tokens. Created anywhere, then used and disposed by the rank thread only.</summary>
internal interface IStepRunner : IDisposable
{
    /// <summary>
    /// Runs one step. Faults that belong to one item go to <see cref="StepResult.ItemErrors"/>; an exception fails the step.
    /// </summary>
    void Run(BatchPlan plan, StepResult result);

    /// <summary>After a failed step: throws when the device cannot compute any more.</summary>
    void Probe();
}
