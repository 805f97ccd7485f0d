using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Activations;

/// <summary>output = f(gate) * up, eight elements at a time; rows and columns in parallel.</summary>
internal static unsafe class GatedActivationSimd
{
    public static void Run(CpuContext context, Tensor output, Tensor gateUp, Activation activation)
    {
        Guard.RequireShapes(gateUp.Columns == 2 * output.Columns && gateUp.Rows == output.Rows, "GatedActivation");
        switch (activation)
        {
            case Activation.Silu:
                Run<Silu>(context, output, gateUp);
                break;
            case Activation.GeluTanh:
                Run<GeluTanh>(context, output, gateUp);
                break;
            case Activation.ClampedSwish:
                Run<ClampedSwish>(context, output, gateUp);
                break;
            default:
                Run<Gelu>(context, output, gateUp);
                break;
        }
    }

    private static void Run<TFunction>(CpuContext context, Tensor output, Tensor gateUp)
        where TFunction : unmanaged, IFunction
    {
        GatedJob<TFunction> job = new()
        {
            Output = output,
            GateUp = gateUp,
            Parts = context.PartsFor(output.Rows, output.Columns * 4L),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private interface IFunction
    {
        static abstract Vector256<float> Apply(Vector256<float> gate, Vector256<float> up);

        static abstract Activation Activation { get; }
    }

    private struct Silu : IFunction
    {
        public static Activation Activation => Activation.Silu;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Apply(Vector256<float> x, Vector256<float> up) => x / (VectorMath.Exp(-x) + Vector256<float>.One) * up;
    }

    private struct GeluTanh : IFunction
    {
        public static Activation Activation => Activation.GeluTanh;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Apply(Vector256<float> x, Vector256<float> up)
        {
            Vector256<float> inner = x * Vector256.FusedMultiplyAdd(
                x * x,
                Vector256.Create(GatedActivationReference.GeluFactor * GatedActivationReference.GeluCubic),
                Vector256.Create(GatedActivationReference.GeluFactor));
            return x / (VectorMath.Exp(-inner) + Vector256<float>.One) * up;
        }
    }

    private struct Gelu : IFunction
    {
        public static Activation Activation => Activation.Gelu;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Apply(Vector256<float> x, Vector256<float> up)
            => x * Vector256.Create(0.5f)
                * (VectorMath.Erf(x * Vector256.Create(GatedActivationReference.SqrtHalf)) + Vector256<float>.One)
                * up;
    }

    private struct ClampedSwish : IFunction
    {
        public static Activation Activation => Activation.ClampedSwish;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Apply(Vector256<float> gate, Vector256<float> up)
        {
            // The instruction gives its second operand where one is not a number.
            Vector256<float> limit = Vector256.Create(GatedActivationReference.SwishLimit);
            Vector256<float> g = Vector256.MinNative(limit, gate);
            Vector256<float> u = Vector256.MaxNative(-limit, Vector256.MinNative(limit, up));
            Vector256<float> swish = g / (VectorMath.Exp(Vector256.Create(-GatedActivationReference.SwishFactor) * g) + Vector256<float>.One);
            return swish * (u + Vector256<float>.One);
        }
    }

    private struct GatedJob<TFunction> : IParallelJob
        where TFunction : unmanaged, IFunction
    {
        public Tensor Output;
        public Tensor GateUp;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Output.Rows, index, Parts);
            int width = Output.Columns;
            for (long row = start; row < end; row++)
            {
                float* gate = (float*)GateUp.Address + (row * GateUp.RowStride);
                float* up = gate + width;
                float* result = (float*)Output.Address + (row * Output.RowStride);
                int i = 0;
                for (; i <= width - 8; i += 8)
                {
                    TFunction.Apply(Vector256.Load(gate + i), Vector256.Load(up + i)).Store(result + i);
                }

                for (; i < width; i++)
                {
                    result[i] = GatedActivationReference.Apply(gate[i], up[i], TFunction.Activation);
                }
            }
        }
    }
}
