using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>Turns a plan into tokens. Created anywhere, then used and disposed by the rank thread only.</summary>
internal interface IStepRunner : IDisposable
{
    /// <summary>
    /// Runs one step. Faults that belong to one item go to <see cref="StepResult.ItemErrors"/>; an exception fails the step.
    /// </summary>
    /// <param name="plan">The step.</param>
    /// <param name="result">Filled.</param>
    /// <param name="forwarded">To be called when what is left is short: it is time to plan the next step.</param>
    void Run(BatchPlan plan, StepResult result, Action forwarded);

    /// <summary>After a failed step: throws when the device cannot compute any more.</summary>
    void Probe();
}
