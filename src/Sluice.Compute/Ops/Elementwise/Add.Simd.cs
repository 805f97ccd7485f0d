using System.Numerics.Tensors;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Elementwise;

/// <summary>accumulator += input; each element is one rounded addition, so any order gives the same bits.</summary>
internal static unsafe class AddSimd
{
    public static void Run(CpuContext context, Tensor accumulator, Tensor input)
    {
        Guard.RequireShapes(accumulator.Rows == input.Rows && accumulator.Columns == input.Columns, "Add");
        AddJob job = new()
        {
            Accumulator = accumulator,
            Input = input,
            Parts = context.PartsFor(input.Rows, input.Columns),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    public static void AddRow(float* accumulator, float* input, int count)
    {
        Span<float> target = new(accumulator, count);
        TensorPrimitives.Add(target, new ReadOnlySpan<float>(input, count), target);
    }

    private struct AddJob : IParallelJob
    {
        public Tensor Accumulator;
        public Tensor Input;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Input.Rows, index, Parts);
            for (long row = start; row < end; row++)
            {
                AddRow(
                    (float*)Accumulator.Address + (row * Accumulator.RowStride),
                    (float*)Input.Address + (row * Input.RowStride),
                    Input.Columns);
            }
        }
    }
}
