using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Activations;

/// <summary>x = cap * tanh(x / cap), eight elements at a time; rows in parallel.</summary>
internal static unsafe class SoftCapSimd
{
    public static void Run(CpuContext context, Tensor values, float cap)
    {
        SoftCapJob job = new() { Values = values, Cap = cap, Parts = context.PartsFor(values.Rows, values.Columns * 4L) };
        context.Pool.Run(ref job, job.Parts);
    }

    public static void ApplyRow(float* x, int count, float cap)
    {
        Vector256<float> caps = Vector256.Create(cap);
        int i = 0;
        for (; i <= count - 8; i += 8)
        {
            (caps * VectorMath.Tanh(Vector256.Load(x + i) / caps)).Store(x + i);
        }

        for (; i < count; i++)
        {
            x[i] = SoftCapReference.Apply(x[i], cap);
        }
    }

    private struct SoftCapJob : IParallelJob
    {
        public Tensor Values;
        public float Cap;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Values.Rows, index, Parts);
            for (long row = start; row < end; row++)
            {
                ApplyRow((float*)Values.Address + (row * Values.RowStride), Values.Columns, Cap);
            }
        }
    }
}
