using Sluice.Compute.Cuda.Interop;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Cuda;

/// <summary>
/// What operations need of the backend that runs them: the device, its stream, kernels, working memory and matrix products. Made and
/// disposed by the backend, used by the thread that uses the backend.
/// </summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private readonly nint[] _scratch = new nint[Enum.GetValues<ScratchKind>().Length];
    private readonly long[] _scratchBytes = new long[Enum.GetValues<ScratchKind>().Length];

    public CudaContext(CudaDevice device, KernelBuilder builder, DType activationType, bool batchInvariant)
    {
        Device = device;
        ActivationType = activationType;
        BatchInvariant = batchInvariant;
        Memory = new DeviceMemory(device);
        Stream = new CudaStream(device);
        Kernels = new KernelStore(builder, KernelTarget.For(device.ComputeCapability, activationType));
        Gemm = new GemmPlans(this);
        Biases = new BiasCopies(this);
    }

    public CudaDevice Device { get; }

    /// <summary>The one stream of all operations: they run in the order in which they are enqueued.</summary>
    public CudaStream Stream { get; }

    /// <summary>bfloat16 or float16.</summary>
    public DType ActivationType { get; }

    /// <summary>A row's result must not depend on the other rows of its batch by a single bit.</summary>
    public bool BatchInvariant { get; }

    public DeviceMemory Memory { get; }

    public KernelStore Kernels { get; }

    public GemmPlans Gemm { get; }

    public BiasCopies Biases { get; }

    /// <summary>Operations are being recorded: nothing runs, so nothing can be waited for, timed or allocated.</summary>
    public bool IsCapturing { get; set; }

    /// <summary>Enqueues one kernel.</summary>
    public void Launch<TArgs>(KernelDefinition<TArgs> kernel, KernelDefines defines, in TArgs args, LaunchShape shape)
        where TArgs : unmanaged
    {
        Device.MakeCurrent();
        try
        {
            Kernels.Launch(kernel, defines, args, shape, Stream.Handle);
        }
        catch (CudaException error)
        {
            throw CauseOf(error);
        }
    }

    /// <summary>
    /// What to throw for an error of a call that enqueues: libraries name what an earlier kernel did to the device in words of their
    /// own, so the stream is asked.
    /// </summary>
    public CudaException CauseOf(CudaException error)
    {
        CudaResult state = IsCapturing ? CudaResult.Success : Driver.Api.StreamQuery(Stream.Handle);
        return Device.CauseOf(state is CudaResult.Success or CudaResult.NotReady ? error : new CudaException(error.Operation, state));
    }

    /// <summary>Starts compiling in the background what a later <see cref="Launch"/> needs.</summary>
    public void Prefetch(KernelDefinition kernel, KernelDefines defines) => Kernels.Prefetch(kernel, defines);

    /// <summary>
    /// Working memory that stays for good, zeroed when it is taken. A larger request takes the place of a smaller one, whose contents
    /// are lost, so sizes must depend on the device and the model alone: they are asked for in the warm-up and never again.
    /// </summary>
    public nint Scratch(ScratchKind kind, long bytes)
    {
        if (_scratchBytes[(int)kind] < bytes)
        {
            GrowScratch(kind, bytes);
        }

        return _scratch[(int)kind];
    }

    /// <summary>Throws while operations are recorded, since this cannot be.</summary>
    public void RequireNoCapture(string action)
    {
        if (IsCapturing)
        {
            throw new InvalidOperationException($"{action} cannot be part of a graph: run the operations once before they are captured.");
        }
    }

    public void Dispose()
    {
        Gemm.Dispose();
        Memory.Dispose();
        if (Device.TryMakeCurrent())
        {
            Kernels.Dispose();
        }

        Stream.Dispose();
    }

    private void GrowScratch(ScratchKind kind, long bytes)
    {
        RequireNoCapture("Taking working memory");
        if (_scratch[(int)kind] != 0)
        {
            Memory.Free(_scratch[(int)kind]);
            _scratch[(int)kind] = 0;
            _scratchBytes[(int)kind] = 0;
        }

        nint address = Memory.Allocate(bytes, MemoryKind.Scratch, $"{kind} workspace");
        Stream.Clear(address, bytes);
        _scratch[(int)kind] = address;
        _scratchBytes[(int)kind] = bytes;
    }
}
