using Sluice.Requests;

namespace Sluice.Execution;

/// <summary>What came out of one step, item by item of <see cref="Scheduling.BatchPlan.SampleItems"/>. Used again after it was read.</summary>
internal sealed class StepResult(int maxSequences)
{
    /// <summary>Sampled id of each sampled row.</summary>
    public int[] TokenIds { get; } = new int[maxSequences];

    /// <summary>Logprobs of each sampled row whose request asked for them.</summary>
    public PositionLogprobs?[] Logprobs { get; } = new PositionLogprobs?[maxSequences];

    /// <summary>What went wrong with an item of the plan, whether it was sampled or not: ends that request only.</summary>
    public string?[] ItemErrors { get; } = new string?[maxSequences];

    /// <summary>What ended the whole step.</summary>
    public Exception? Fault { get; set; }

    /// <summary>The backend did not survive the fault: no step can follow.</summary>
    public bool IsBackendBroken { get; set; }

    public void Clear(int itemCount)
    {
        Array.Clear(Logprobs, 0, itemCount);
        Array.Clear(ItemErrors, 0, itemCount);
        Fault = null;
        IsBackendBroken = false;
    }
}
