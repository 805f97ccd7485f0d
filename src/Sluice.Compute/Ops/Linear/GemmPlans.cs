using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Matrix products by cuBLASLt, with an algorithm that is chosen once for each <see cref="GemmShape"/> and kept. For the row counts of
/// decode steps the library's best guesses are timed on the device, with a cold cache as in a model; for more rows its first guess is
/// taken. Sums of parts are added in a fixed order only, so that equal calls give equal bits.
/// In batch-invariant mode algorithms compute every element in one go over k, and only those are taken that have the bits of one that is
/// fixed for the weight's shape (<see cref="InvariantGemm"/>).
/// Used by the thread that owns the backend, which creates and disposes it.
/// </summary>
internal sealed unsafe class GemmPlans : IDisposable
{
    private const long WorkspaceBytes = 64L << 20;

    // cublasLtReductionScheme_t: parts in float32, added by a second kernel. The in-place scheme adds in the order of arrival, and
    // the output-type scheme rounds the parts.
    private const uint ReductionInFloat32 = 2;
    public const uint NoReduction = 0;

    private const int LargestTimedRows = 512;
    private const int CandidateCount = 8;
    private const int TimedRuns = 5;

    private readonly CudaContext _context;
    private readonly nint _workspace;
    private readonly Dictionary<GemmShape, GemmPlan> _plans = [];
    private nint _handle;

    public GemmPlans(CudaContext context)
    {
        _context = context;
        _workspace = context.Scratch(ScratchKind.Gemm, WorkspaceBytes);
    }

    /// <summary>Enqueues output = input * weight^T (+ bias, in the output's type).</summary>
    public void Run(in GemmCall call, in GemmShape shape)
    {
        if (_context.Kernels.IsCollecting)
        {
            // The library brings its own kernels, compiled.
            return;
        }

        _context.Device.MakeCurrent();
        try
        {
            if (!_plans.TryGetValue(shape, out GemmPlan? plan))
            {
                plan = CreatePlan(call, shape);
            }

            plan.Run(call, plan.Algorithm, _workspace, WorkspaceBytes, _context.Stream.Handle);
        }
        catch (CudaException error)
        {
            throw _context.CauseOf(error);
        }
    }

    public void Dispose()
    {
        foreach (GemmPlan plan in _plans.Values)
        {
            plan.Dispose();
        }

        _plans.Clear();
        if (_handle != 0)
        {
            _ = CublasLt.Api.Destroy(_handle);
            _handle = 0;
        }
    }

    private GemmPlan CreatePlan(in GemmCall call, in GemmShape shape)
    {
        if (_handle == 0)
        {
            nint handle;
            CublasLt.Check(CublasLt.Api.Create(&handle), "cublasLtCreate");
            _handle = handle;
        }

        GemmPlan plan = new(_handle, shape, _context.ActivationType);
        try
        {
            plan.Algorithm = _context.BatchInvariant
                ? InvariantGemm.Choose(_context, plan, call.Bias, shape, _workspace, WorkspaceBytes)
                : Choose(plan, call, shape);
        }
        catch
        {
            plan.Dispose();
            throw;
        }

        _plans.Add(shape, plan);
        return plan;
    }

    private MatmulAlgo Choose(GemmPlan plan, in GemmCall call, in GemmShape shape)
    {
        Span<MatmulHeuristicResult> candidates = stackalloc MatmulHeuristicResult[CandidateCount];
        int count = plan.FindAlgorithms(shape.BucketRows, call.Bias, WorkspaceBytes, ReductionInFloat32, candidates);
        if (count == 0)
        {
            count = plan.FindAlgorithms(shape.BucketRows, call.Bias, WorkspaceBytes, NoReduction, candidates);
        }

        if (count == 0)
        {
            throw NoAlgorithm(_context, shape);
        }

        bool isTimed = shape.BucketRows <= LargestTimedRows && count > 1 && !_context.IsCapturing;
        return candidates[isTimed ? Fastest(plan, call, candidates[..count]) : 0].Algorithm;
    }

    /// <summary>The library knows no way to compute a product.</summary>
    public static NotSupportedException NoAlgorithm(CudaContext context, in GemmShape shape) => new(
        $"cuBLASLt {CublasLt.Api.Version} has no algorithm for {shape.Outputs} x {shape.Inputs} {context.ActivationType.Name()} to {shape.OutputType.Name()}.");

    /// <summary>Runs the call itself with each candidate: it computes the same thing each time, and its memory is there.</summary>
    private int Fastest(GemmPlan plan, in GemmCall call, ReadOnlySpan<MatmulHeuristicResult> candidates)
    {
        using CudaEvent start = new(_context.Device, _context.Stream, timing: true);
        using CudaEvent end = new(_context.Device, _context.Stream, timing: true);
        int fastest = 0;
        float best = float.PositiveInfinity;
        for (int i = 0; i < candidates.Length; i++)
        {
            float milliseconds = float.PositiveInfinity;
            for (int run = 0; run <= TimedRuns; run++)
            {
                // The weights of a model do not stay in the cache from step to step. Clearing also covers the launch's latency.
                _context.Stream.Clear(_workspace, Math.Min(WorkspaceBytes, _context.Device.L2Bytes));
                start.Record();
                bool ran = plan.TryRun(call, candidates[i].Algorithm, _workspace, WorkspaceBytes, _context.Stream.Handle);
                end.Record();
                end.Wait();
                if (run > 0 && ran)
                {
                    milliseconds = Math.Min(milliseconds, end.MillisecondsSince(start));
                }
            }

            if (milliseconds < best)
            {
                best = milliseconds;
                fastest = i;
            }
        }

        return fastest;
    }
}
