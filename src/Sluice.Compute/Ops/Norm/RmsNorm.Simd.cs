using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Elementwise;

namespace Sluice.Compute.Ops.Norm;

/// <summary>Vectors of the sums that <see cref="RmsNormReference"/> defines; rows in parallel.</summary>
internal static unsafe class RmsNormSimd
{
    public static void Run(CpuContext context, Tensor output, Tensor input, Tensor gain, float epsilon, float gainOffset)
    {
        RequireShapes(output, input, gain);
        NormJob job = new()
        {
            Output = output,
            Residual = input,
            Gain = (float*)gain.Address,
            Width = gain.Columns,
            Epsilon = epsilon,
            GainOffset = gainOffset,
            Parts = context.PartsFor(input.Rows, input.Columns),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    /// <summary>residual += input; output = RmsNorm(residual).</summary>
    public static void RunAdd(
        CpuContext context, Tensor output, Tensor residual, Tensor input, Tensor gain, float epsilon, float gainOffset)
    {
        RequireShapes(output, residual, gain);
        RequireShapes(input, residual, gain);
        NormJob job = new()
        {
            Output = output,
            Residual = residual,
            Addend = (float*)input.Address,
            AddendRowStride = input.RowStride,
            Gain = (float*)gain.Address,
            Width = gain.Columns,
            Epsilon = epsilon,
            GainOffset = gainOffset,
            Parts = context.PartsFor(residual.Rows, residual.Columns),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    /// <summary>One group; y may be x.</summary>
    public static void Normalize(float* x, float* y, float* gain, int width, float epsilon, float gainOffset)
    {
        Vector256<float> low = Vector256<float>.Zero;
        Vector256<float> high = Vector256<float>.Zero;
        int i = 0;
        for (; i <= width - 16; i += 16)
        {
            Vector256<float> first = Vector256.Load(x + i);
            Vector256<float> second = Vector256.Load(x + i + 8);
            low = Vector256.FusedMultiplyAdd(first, first, low);
            high = Vector256.FusedMultiplyAdd(second, second, high);
        }

        if (i < width)
        {
            // Lanes without an element add the square of zero.
            float* tail = stackalloc float[16];
            new Span<float>(tail, 16).Clear();
            new ReadOnlySpan<float>(x + i, width - i).CopyTo(new Span<float>(tail, 16));
            low = Vector256.FusedMultiplyAdd(Vector256.Load(tail), Vector256.Load(tail), low);
            high = Vector256.FusedMultiplyAdd(Vector256.Load(tail + 8), Vector256.Load(tail + 8), high);
        }

        float factor = 1 / MathF.Sqrt((VectorMath.Sum(low + high) / width) + epsilon);
        Vector256<float> factors = Vector256.Create(factor);
        Vector256<float> offset = Vector256.Create(gainOffset);
        i = 0;
        for (; i <= width - 8; i += 8)
        {
            (Vector256.Load(x + i) * factors * (Vector256.Load(gain + i) + offset)).Store(y + i);
        }

        for (; i < width; i++)
        {
            y[i] = x[i] * factor * (gain[i] + gainOffset);
        }
    }

    private static void RequireShapes(Tensor first, Tensor second, Tensor gain)
        => Guard.RequireShapes(
            first.Rows == second.Rows && first.Columns == second.Columns && gain.Columns > 0 && second.Columns % gain.Columns == 0,
            "RmsNorm");

    private struct NormJob : IParallelJob
    {
        public Tensor Output;
        public Tensor Residual;
        public float* Addend;
        public long AddendRowStride;
        public float* Gain;
        public int Width;
        public float Epsilon;
        public float GainOffset;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Residual.Rows, index, Parts);
            for (long row = start; row < end; row++)
            {
                float* x = (float*)Residual.Address + (row * Residual.RowStride);
                float* y = (float*)Output.Address + (row * Output.RowStride);
                if (Addend != null)
                {
                    AddSimd.AddRow(x, Addend + (row * AddendRowStride), Residual.Columns);
                }

                for (int column = 0; column < Residual.Columns; column += Width)
                {
                    Normalize(x + column, y + column);
                }
            }
        }

        private readonly void Normalize(float* x, float* y) => RmsNormSimd.Normalize(x, y, Gain, Width, Epsilon, GainOffset);
    }
}
