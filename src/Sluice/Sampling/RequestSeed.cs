using Sluice.Compute.Ops.Sampling;
using Sluice.Requests;

namespace Sluice.Sampling;

/// <summary>The key of a choice's random numbers.</summary>
internal static class RequestSeed
{
    /// <summary>
    /// The request's seed plus the choice's index. A request without one gets a seed of its own, which follows from the engine's and from how
    /// many requests came before, so that a restarted engine that sees the same requests in the same order repeats itself.
    /// </summary>
    /// <param name="sampling">A seed of -1 counts as none, as in vLLM.</param>
    /// <param name="engineSeed">The engine's seed.</param>
    /// <param name="requestNumber">Requests before this one.</param>
    /// <param name="choiceIndex">Which of the request's completions.</param>
    public static long Of(SamplingParams sampling, long engineSeed, long requestNumber, int choiceIndex)
    {
        if (sampling.Seed is long seed && seed != -1)
        {
            return unchecked(seed + choiceIndex);
        }

        (uint low, uint high, _, _) = Philox.Block(
            (uint)engineSeed, (uint)(engineSeed >> 32), (uint)requestNumber, (uint)(requestNumber >> 32), (uint)choiceIndex, 1);
        return (long)(((ulong)high << 32) | low);
    }
}
