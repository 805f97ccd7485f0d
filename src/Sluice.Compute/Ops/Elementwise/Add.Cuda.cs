using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Elementwise;

/// <summary>accumulator += input on CUDA, rounded to the activation type.</summary>
internal static class AddCuda
{
    private static readonly KernelDefinition<Args> Kernel = new("Elementwise/Add.cu", "add");
    private static readonly DefinesCache<int> Defines = new(static vector => new KernelDefines(("VECTOR", vector)));

    public static void Run(CudaContext context, Tensor accumulator, Tensor input)
    {
        Guard.RequireShapes(
            accumulator.Rows == input.Rows && accumulator.Columns == input.Columns
                && accumulator.Type == context.ActivationType && input.Type == context.ActivationType,
            "Add");
        int vector = RowAccess.Allows16(accumulator) && RowAccess.Allows16(input) ? 8 : 1;
        uint vectorsInRow = (uint)(input.Columns / vector);
        uint vectors = checked(vectorsInRow * (uint)input.Rows);
        if (vectors == 0)
        {
            return;
        }

        Args args = new()
        {
            Accumulator = accumulator.Address,
            Input = input.Address,
            AccumulatorStride = accumulator.RowStride,
            InputStride = input.RowStride,
            VectorsInRow = vectorsInRow,
            Vectors = vectors,
        };
        int blocks = (int)((vectors + (RowAccess.BlockThreads - 1)) / RowAccess.BlockThreads);
        context.Launch(Kernel, Defines.For(vector), args, new LaunchShape(blocks, RowAccess.BlockThreads, IsProgrammatic: true));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Accumulator;
        public nint Input;
        public int AccumulatorStride;
        public int InputStride;
        public uint VectorsInRow;
        public uint Vectors;
    }
}
