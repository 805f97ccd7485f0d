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

    // Measured on an H100 over the shapes of Llama-3.1-8B: up to 14 % between the first guess and the best up to these rows, and
    // mostly nothing above.
    private const int LargestTimedRows = 512;
    private const int CandidateCount = GemmTiming.MaxCandidates;

    private readonly CudaContext _context;
    private readonly GemmTiming _timing;
    private readonly nint _workspace;
    private readonly Dictionary<GemmShape, GemmPlan> _plans = [];
    private nint _handle;

    public GemmPlans(CudaContext context)
    {
        _context = context;
        _timing = new GemmTiming(context);
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
        _timing.Dispose();
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
        return candidates[isTimed ? _timing.Fastest(plan, call, candidates[..count], _workspace, WorkspaceBytes) : 0].Algorithm;
    }

    /// <summary>The library knows no way to compute a product.</summary>
    public static NotSupportedException NoAlgorithm(CudaContext context, in GemmShape shape) => new(
        $"cuBLASLt {CublasLt.Api.Version} has no algorithm for {shape.Outputs} x {shape.Inputs} {context.ActivationType.Name()} to {shape.OutputType.Name()}.");
}
