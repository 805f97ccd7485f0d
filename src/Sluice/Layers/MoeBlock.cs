using Sluice.Compute;

namespace Sluice.Layers;

/// <summary>
/// A mixture of experts: the sum of the chosen experts' feed-forwards, weighed by the router, and of the experts that every token
/// takes, where the model has such.
/// </summary>
/// <param name="router">To a logit for each expert.</param>
/// <param name="correction">float32 [1, experts], added to the scores for the choice only; or none.</param>
/// <param name="routing">How experts are chosen and weighed.</param>
/// <param name="experts">The feed-forward of each expert.</param>
/// <param name="shared">The feed-forward of the shared experts, or none.</param>
internal sealed class MoeBlock(Linear router, Tensor? correction, Routing routing, ExpertMlp experts, GatedMlp? shared) : IFeedForward
{
    /// <inheritdoc/>
    public void Forward(IBackend backend, in DecoderBuffers buffers, Tensor input)
    {
        ExpertBuffers work = buffers.Experts ?? throw new InvalidOperationException("The decoder has no buffers for experts.");
        router.Forward(backend, work.Logits, input);
        backend.Route(work.Chosen, work.Weights, work.Logits, correction, routing);
        shared?.Forward(backend, buffers, input);
        experts.Forward(backend, work, input);
        backend.WeightedSum(buffers.Projected, work.Output, work.Weights, accumulate: shared is not null);
    }
}
