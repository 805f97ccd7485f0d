using Sluice.Scheduling;

namespace Sluice.Execution;

/// <summary>
/// Turns plans into tokens, in two halves: a step is launched, which only enqueues where the device works by itself, and finished
/// when the device is done. Created anywhere; then all but <see cref="Finish"/> is called by the rank thread only.
/// </summary>
internal interface IStepRunner : IDisposable
{
    /// <summary>
    /// Enqueues one step with its sampling and the copies of what came of it. At most one other step may be launched and not
    /// finished. Faults that belong to one item go to <see cref="StepResult.ItemErrors"/>; an exception fails the step, which is
    /// then not finished.
    /// </summary>
    /// <param name="plan">The step. It stays as it is until the step is finished.</param>
    /// <param name="result">Filled by <see cref="Finish"/>; errors of items also here.</param>
    /// <param name="forwarded">To be called when what is left is short: it is time to plan the next step.</param>
    /// <returns>True when the device is done already, so that <see cref="Finish"/> will not wait.</returns>
    bool Launch(BatchPlan plan, StepResult result, Action forwarded);

    /// <summary>
    /// Waits until the device is done with the oldest launched step and reads its tokens. Called once a launched step, in order, by any
    /// one thread while the rank thread may launch the next. An exception fails the step.
    /// </summary>
    /// <param name="plan">As launched.</param>
    /// <param name="result">As launched.</param>
    void Finish(BatchPlan plan, StepResult result);

    /// <summary>After a failed step: throws when the device cannot compute any more.</summary>
    void Probe();
}
