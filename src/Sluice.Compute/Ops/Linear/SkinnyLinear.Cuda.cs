using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// The linear layer for the few rows of small decode batches, where all that counts is how fast the weight is read. In graphs on an
/// H100, for the shapes of Llama-3.1-8B: 2.55 to 2.98 TB/s for 1 row, 2.43 to 2.90 for 8, and its start hides behind the kernel before
/// it. For 9 to 16 rows a form with two row tiles took 169 us for the four products of a layer and the library 162.
/// </summary>
internal static class SkinnyLinearCuda
{
    // Of 4 to 32 warps, 16 to 64 features and 1 to 4 loads ahead these were measured best.
    private const int MaxRows = 8;
    private const int Features = 16;
    private const int Warps = 16;
    private const int LoadsAhead = 2;
    private const int LoadElements = 8;

    private static readonly KernelDefinition<Args> Kernel = new("Linear/SkinnyLinear.cu", "skinny_linear");
    private static readonly KernelDefines ToActivations = Defines(outputFloat32: 0);
    private static readonly KernelDefines ToFloat32 = Defines(outputFloat32: 1);

    /// <summary>Whether the kernel takes these shapes and addresses.</summary>
    public static bool Fits(CudaContext context, Tensor input, Weight weight) =>
        input.Rows <= MaxRows && !context.BatchInvariant && input.Columns % LoadElements == 0
            && GemmShape.AlignmentOf(input) == 16 && weight.Address % 16 == 0;

    /// <inheritdoc cref="LinearCuda.Run"/>
    public static void Run(CudaContext context, Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        Args args = new()
        {
            Output = output.Address,
            Input = input.Address,
            Weight = weight.Address,
            Bias = bias?.Address ?? 0,
            Rows = input.Rows,
            OutFeatures = weight.Rows,
            InFeatures = weight.Columns,
            InputStride = input.RowStride,
            OutputStride = output.RowStride,
        };
        context.Launch(
            Kernel,
            output.Type == DType.Float32 ? ToFloat32 : ToActivations,
            args,
            new LaunchShape((weight.Rows + Features - 1) / Features, Warps * 32, IsProgrammatic: true));
    }

    private static KernelDefines Defines(int outputFloat32) => new(
        ("ROWS", MaxRows), ("TILES", Features / 16), ("WARPS", Warps), ("UNROLL", LoadsAhead), ("OUTPUT_F32", outputFloat32));

    private struct Args
    {
        public nint Output;
        public nint Input;
        public nint Weight;
        public nint Bias;
        public int Rows;
        public int OutFeatures;
        public int InFeatures;
        public int InputStride;
        public int OutputStride;
    }
}
