using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Linear;

/// <summary>
/// The linear layer for the few rows of small decode batches, where all that counts is how fast the weight is read: 2.55 to 2.98 TB/s
/// on an H100 for the shapes of Llama-3.1-8B and up to 8 rows, against 1.6 to 2.6 of the library; 2.2 to 2.7 against 1.6 to 2.6 for 16.
/// </summary>
internal static class SkinnyLinearCuda
{
    // Of 4 to 32 warps, 16 to 64 features and 1 to 4 loads ahead these were measured best.
    private const int Warps = 16;
    private const int LoadElements = 8;

    private static readonly KernelDefinition<Args> Kernel = new("Linear/SkinnyLinear.cu", "skinny_linear");
    private static readonly Variant EightRows = new(Rows: 8, Tiles: 1, LoadsAhead: 2);
    private static readonly Variant SixteenRows = new(Rows: 16, Tiles: 2, LoadsAhead: 1);

    /// <summary>Whether the kernel takes these shapes and addresses.</summary>
    public static bool Fits(CudaContext context, Tensor input, Weight weight) =>
        input.Rows <= SixteenRows.Rows && !context.BatchInvariant && input.Columns % LoadElements == 0
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
        Variant variant = input.Rows <= EightRows.Rows ? EightRows : SixteenRows;
        context.Launch(
            Kernel,
            output.Type == DType.Float32 ? variant.ToFloat32 : variant.ToActivations,
            args,
            new LaunchShape((weight.Rows + variant.Features - 1) / variant.Features, Warps * 32, IsProgrammatic: true));
    }

    private sealed record Variant(int Rows, int Tiles, int LoadsAhead)
    {
        public int Features => Tiles * 16;

        public KernelDefines ToActivations { get; } = Defines(Rows, Tiles, LoadsAhead, outputFloat32: 0);

        public KernelDefines ToFloat32 { get; } = Defines(Rows, Tiles, LoadsAhead, outputFloat32: 1);

        private static KernelDefines Defines(int rows, int tiles, int loadsAhead, int outputFloat32) =>
            new(("ROWS", rows), ("TILES", tiles), ("WARPS", Warps), ("UNROLL", loadsAhead), ("OUTPUT_F32", outputFloat32));
    }

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
