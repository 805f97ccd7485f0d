using System.Runtime.ExceptionServices;

namespace Sluice.Compute.Cuda;

/// <summary>One kernel source on its way to machine code. Built by whoever claims it first; everybody else waits.</summary>
internal sealed class KernelBuild(KernelBuilder builder, KernelSource source, KernelTarget target, KernelDefines defines)
{
    private readonly ManualResetEventSlim _done = new(false, 0);
    private int _isClaimed;
    private byte[]? _image;
    private ExceptionDispatchInfo? _failure;

    public KernelSource Source { get; } = source;

    public KernelTarget Target { get; } = target;

    public KernelDefines Defines { get; } = defines;

    public bool IsDone => _done.IsSet;

    /// <summary>The machine code. Builds it here when nobody has begun.</summary>
    public byte[] Result()
    {
        TryRun();
        _done.Wait();
        _failure?.Throw();
        return _image!;
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
            _image = builder.ReadOrCompile(this);
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
        }

        _done.Set();
    }
}
