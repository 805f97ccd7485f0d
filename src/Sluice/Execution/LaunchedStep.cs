using Sluice.Compute;
using Sluice.Sampling;

namespace Sluice.Execution;

/// <summary>
/// What a step on the device has of its own: the host memory that its inputs are copied from and its results to, and the fence
/// behind it. Two of them, in turn, are enough for a step that runs and one that is queued behind it.
/// </summary>
internal sealed class LaunchedStep(IBackend backend, long stagingBytes, SampledTokens sampled) : IDisposable
{
    public UploadStaging Staging { get; } = new(backend, stagingBytes);

    public SampledTokens Sampled { get; } = sampled;

    public Fence Fence { get; } = backend.CreateFence();

    public void Dispose()
    {
        Fence.Dispose();
        Sampled.Dispose();
        Staging.Dispose();
    }
}
