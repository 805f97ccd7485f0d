using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Cuda;

/// <summary>A recorded part of a stream, ready to be launched as one.</summary>
internal sealed unsafe class CudaGraph : DeviceGraph
{
    private readonly Driver _driver = Driver.Api;
    private readonly CudaContext _context;
    private nint _executable;

    private CudaGraph(CudaContext context, nint executable)
    {
        _context = context;
        _executable = executable;
    }

    /// <summary>Records what <paramref name="operations"/> enqueues on the context's stream.</summary>
    public static CudaGraph Capture(CudaContext context, Action operations)
    {
        Driver driver = Driver.Api;
        CudaDevice device = context.Device;
        nint stream = context.Stream.Handle;
        device.MakeCurrent();

        // Other threads go on copying and waiting meanwhile, which is none of this capture's business.
        device.Check(driver.StreamBeginCapture(stream, CaptureMode.ThreadLocal), "cuStreamBeginCapture");
        nint graph = 0;
        context.IsCapturing = true;
        CudaResult ended = CudaResult.Success;
        try
        {
            operations();
        }
        catch
        {
            End();
            Discard(graph);
            throw;
        }

        End();
        try
        {
            device.Check(ended, "cuStreamEndCapture");
            nint executable;
            device.Check(driver.GraphInstantiate(&executable, graph, 0), "cuGraphInstantiate");

            // The first launch then costs no more than the others.
            device.Check(driver.GraphUpload(executable, stream), "cuGraphUpload");
            return new CudaGraph(context, executable);
        }
        finally
        {
            Discard(graph);
        }

        void End()
        {
            context.IsCapturing = false;
            nint captured;
            ended = driver.StreamEndCapture(stream, &captured);
            graph = ended == CudaResult.Success ? captured : 0;
        }
    }

    private static void Discard(nint graph)
    {
        if (graph != 0)
        {
            _ = Driver.Api.GraphDestroy(graph);
        }
    }

    /// <inheritdoc/>
    public override void Launch()
    {
        ObjectDisposedException.ThrowIf(_executable == 0, this);
        _context.Device.MakeCurrent();
        _context.Device.Check(_driver.GraphLaunch(_executable, _context.Stream.Handle), "cuGraphLaunch");
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_executable != 0 && _context.Device.TryMakeCurrent())
        {
            _ = _driver.GraphExecDestroy(_executable);
        }

        _executable = 0;
    }
}
