using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Moe;

/// <summary>The weighted sum of rows, eight columns at a time; output rows in parallel.</summary>
internal static unsafe class WeightedSumSimd
{
    public static void Run(CpuContext context, Tensor output, Tensor input, Tensor weights, bool accumulate)
    {
        Guard.RequireShapes(
            weights.Type == DType.Float32 && weights.Rows == output.Rows && input.Columns == output.Columns
                && input.Rows == (long)output.Rows * weights.Columns && input.Type == DType.Float32 && output.Type == DType.Float32,
            "WeightedSum");
        SumJob job = new()
        {
            Output = output,
            Input = input,
            Weights = weights,
            Accumulate = accumulate,
            Parts = context.PartsFor(output.Rows, (long)output.Columns * weights.Columns),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private struct SumJob : IParallelJob
    {
        public Tensor Output;
        public Tensor Input;
        public Tensor Weights;
        public bool Accumulate;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Output.Rows, index, Parts);
            int count = Weights.Columns;
            long stride = Input.RowStride;
            for (long row = start; row < end; row++)
            {
                float* target = (float*)Output.Address + (row * Output.RowStride);
                float* source = (float*)Input.Address + (row * count * stride);
                float* weights = (float*)Weights.Address + (row * Weights.RowStride);
                int column = 0;
                for (; column <= Output.Columns - Vector256<float>.Count; column += Vector256<float>.Count)
                {
                    Vector256<float> sum = Accumulate ? Vector256.Load(target + column) : Vector256<float>.Zero;
                    for (int i = 0; i < count; i++)
                    {
                        sum = Vector256.FusedMultiplyAdd(Vector256.Create(weights[i]), Vector256.Load(source + (i * stride) + column), sum);
                    }

                    sum.Store(target + column);
                }

                for (; column < Output.Columns; column++)
                {
                    float sum = Accumulate ? target[column] : 0;
                    for (int i = 0; i < count; i++)
                    {
                        sum = MathF.FusedMultiplyAdd(weights[i], source[(i * stride) + column], sum);
                    }

                    target[column] = sum;
                }
            }
        }
    }
}
