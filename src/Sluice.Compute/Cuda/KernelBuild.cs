namespace Sluice.Compute.Cuda;

/// <summary>One kernel source on its way to machine code. Built by whoever claims it first; everybody else waits.</summary>
internal sealed class KernelBuild(KernelBuilder builder, KernelSource source, KernelTarget target, KernelDefines defines)
{
    private readonly TaskCompletionSource<byte[]> _image = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isClaimed;

    public KernelSource Source { get; } = source;

    public KernelTarget Target { get; } = target;

    public KernelDefines Defines { get; } = defines;

    public bool IsDone => _image.Task.IsCompleted;

    /// <summary>The machine code. Builds it here when nobody has begun.</summary>
    public byte[] Result()
    {
        TryRun();
        return _image.Task.GetAwaiter().GetResult();
    }

    /// <summary>Builds it unless somebody else does or did.</summary>
    public void TryRun()
    {
        if (Interlocked.Exchange(ref _isClaimed, 1) != 0)
        {
            return;
        }

        try
        {
            _image.SetResult(builder.ReadOrCompile(this));
        }
        catch (Exception exception)
        {
            _image.SetException(exception);
        }
    }
}
