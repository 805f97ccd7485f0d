using Sluice.Compute.Cuda;
using Sluice.Compute.Cuda.Interop;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// Algorithms for results that do not depend on the batch. An algorithm that computes an element in one go over k treats all rows
/// alike, however many there are. Algorithms for few and for many rows differ in their tiles, and most add the products of an element
/// in the same order; but the library does not promise that, so an algorithm is taken only when a product of random numbers has the same
/// bits with it as with the one that is fixed for the weight's shape. Nothing is timed: every start chooses the same.
/// </summary>
internal static unsafe class InvariantGemm
{
    // Row count that the fixed algorithm is the library's first guess for: it is bearable for one row and for thousands.
    private const int ReferenceRows = 256;

    // Thousands of elements of hundreds of products each: another order shows at once.
    private const int ProbeRows = 16;
    private const int ProbeOutputs = 256;

    public static MatmulAlgo Choose(CudaContext context, GemmPlan plan, nint bias, in GemmShape shape, nint workspace, long workspaceBytes)
    {
        Span<MatmulHeuristicResult> found = stackalloc MatmulHeuristicResult[1];
        if (plan.FindAlgorithms(ReferenceRows, bias, 0, GemmPlans.NoReduction, found) == 0)
        {
            throw GemmPlans.NoAlgorithm(context, shape);
        }

        MatmulAlgo reference = found[0].Algorithm;
        if (shape.BucketRows == ReferenceRows
            || context.IsCapturing
            || plan.FindAlgorithms(shape.BucketRows, bias, 0, GemmPlans.NoReduction, found) == 0)
        {
            return reference;
        }

        return HaveSameBits(context, plan, shape, reference, found[0].Algorithm, workspace, workspaceBytes) ? found[0].Algorithm : reference;
    }

    /// <summary>
    /// Multiplies random numbers with both. Neither algorithm needs the workspace, so operands and results lie in it. The outputs are
    /// fewer than the weight's; their count leaves the same remainder, on which the way of storing a row depends.
    /// </summary>
    private static bool HaveSameBits(
        CudaContext context, GemmPlan plan, in GemmShape shape, in MatmulAlgo first, in MatmulAlgo second, nint workspace, long workspaceBytes)
    {
        int outputs = shape.Outputs <= ProbeOutputs ? shape.Outputs : ProbeOutputs + (shape.Outputs % 16);
        long weightBytes = (long)outputs * shape.Inputs * context.ActivationType.SizeBytes();
        long inputBytes = (long)ProbeRows * shape.Inputs * context.ActivationType.SizeBytes();
        int outputBytes = ProbeRows * outputs * shape.OutputType.SizeBytes();
        nint input = Align(workspace + (nint)weightBytes);
        nint output = Align(input + (nint)inputBytes);
        if (output + outputBytes > workspace + (nint)workspaceBytes)
        {
            return false;
        }

        ushort[] values = RandomValues((int)((weightBytes + inputBytes) / sizeof(ushort)), context.ActivationType);
        fixed (ushort* pointer = values)
        {
            context.Stream.CopyToDevice(workspace, (nint)pointer, weightBytes);
            context.Stream.CopyToDevice(input, (nint)pointer + (nint)weightBytes, inputBytes);
            context.Stream.Synchronize();
        }

        using GemmPlan small = plan.WithoutBias(outputs);
        GemmCall call = new(ProbeRows, workspace, input, shape.Inputs, output, outputs, 0);
        byte[] expected = new byte[outputBytes];
        byte[] actual = new byte[outputBytes];
        return small.TryRun(call, first, 0, 0, context.Stream.Handle) && Read(context, output, expected)
            && small.TryRun(call, second, 0, 0, context.Stream.Handle) && Read(context, output, actual)
            && expected.AsSpan().SequenceEqual(actual);
    }

    private static bool Read(CudaContext context, nint address, byte[] destination)
    {
        fixed (byte* pointer = destination)
        {
            context.Stream.CopyToHost((nint)pointer, address, destination.Length);
            context.Stream.Synchronize();
        }

        return true;
    }

    /// <summary>Magnitudes of 0.5 to 1 of either sign, always the same.</summary>
    private static ushort[] RandomValues(int count, DType type)
    {
        ushort[] values = new ushort[count];
        (uint keep, uint exponent) = type == DType.BFloat16 ? (0x807Fu, 0x3F00u) : (0x83FFu, 0x3800u);
        ulong state = 0;
        foreach (ref ushort value in values.AsSpan())
        {
            // The upper bits of a linear congruential generator (Knuth's MMIX).
            state = (state * 6_364_136_223_846_793_005) + 1_442_695_040_888_963_407;
            value = (ushort)(((uint)(state >> 48) & keep) | exponent);
        }

        return values;
    }

    private static nint Align(nint address) => (address + 255) & ~(nint)255;
}
