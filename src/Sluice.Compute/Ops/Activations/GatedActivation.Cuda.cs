using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Ops.Activations;

/// <summary>output = f(gate) * up on CUDA, rounded once.</summary>
internal static class GatedActivationCuda
{
    private static readonly KernelDefinition<Args> Kernel = new("Activations/GatedActivation.cu", "gated_activation");

    private static readonly DefinesCache<(int Vector, Activation Activation)> Defines = new(
        static shape => new KernelDefines(("VECTOR", shape.Vector), ("ACTIVATION", (int)shape.Activation)));

    public static void Run(CudaContext context, Tensor output, Tensor gateUp, Activation activation)
    {
        Guard.RequireShapes(
            gateUp.Columns == 2 * output.Columns && gateUp.Rows == output.Rows
                && output.Type == context.ActivationType && gateUp.Type == context.ActivationType,
            "GatedActivation");
        if (activation == Activation.ClampedSwish)
        {
            throw new NotSupportedException("CUDA has no kernel for the clamped swish; use the cpu device.");
        }

        if (output.Rows == 0 || output.Columns == 0)
        {
            return;
        }

        int vector = RowAccess.Allows16(output) && RowAccess.Allows16(gateUp) ? 8 : 1;
        Args args = new()
        {
            Output = output.Address,
            GateUp = gateUp.Address,
            OutputStride = output.RowStride,
            GateUpStride = gateUp.RowStride,
            Width = output.Columns,
        };
        context.Launch(Kernel, Defines.For((vector, activation)), args, RowAccess.Grid(output.Rows, output.Columns / vector));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Args
    {
        public nint Output;
        public nint GateUp;
        public int OutputStride;
        public int GateUpStride;
        public int Width;
    }
}
