using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Activations;

/// <summary>x = cap * tanh(x / cap) on CUDA; float32.</summary>
internal static class SoftCapCuda
{
    private static readonly KernelDefinition<Args> Kernel = new("Activations/SoftCap.cu", "soft_cap");
    private static readonly DefinesCache<int> Defines = new(static vector => new KernelDefines(("VECTOR", vector)));

    public static void Run(CudaContext context, Tensor values, float cap)
    {
        Guard.RequireShapes(values.Type == DType.Float32, "SoftCap");
        if (values.Rows == 0 || values.Columns == 0)
        {
            return;
        }

        int vector = RowAccess.Allows16(values) ? 4 : 1;
        Args args = new() { Values = values.Address, Stride = values.RowStride, Columns = values.Columns, Cap = cap };
        context.Launch(Kernel, Defines.For(vector), args, RowAccess.Grid(values.Rows, values.Columns / vector));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Values;
        public int Stride;
        public int Columns;
        public float Cap;
    }
}
