using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Rotary embedding, eight pairs at a time; rows in parallel.</summary>
internal static unsafe class RotateSimd
{
    public static void Run(CpuContext context, Tensor heads, int headDim, Tensor positions, RotaryTable table)
    {
        Guard.RequireShapes(
            heads.Columns % headDim == 0 && table.RotaryDim <= headDim && table.RotaryDim / 2 <= table.Cosines.Columns
                && heads.Rows <= positions.Columns,
            "Rotate");
        RotateJob job = new()
        {
            Heads = heads,
            HeadDim = headDim,
            Positions = (int*)positions.Address,
            Table = table,
            Parts = context.PartsFor(heads.Rows, heads.Columns),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private struct RotateJob : IParallelJob
    {
        public Tensor Heads;
        public int HeadDim;
        public int* Positions;
        public RotaryTable Table;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Heads.Rows, index, Parts);
            int half = Table.RotaryDim / 2;
            for (int token = start; token < end; token++)
            {
                long position = Positions[token];
                Guard.RequireIndex(position, Table.Cosines.Rows, "position");

                float* cosines = (float*)Table.Cosines.Address + (position * Table.Cosines.RowStride);
                float* sines = (float*)Table.Sines.Address + (position * Table.Sines.RowStride);
                float* head = (float*)Heads.Address + ((long)token * Heads.RowStride);
                for (int column = 0; column < Heads.Columns; column += HeadDim, head += HeadDim)
                {
                    Turn(head, head + half, cosines, sines, half);
                }
            }
        }

        private static void Turn(float* first, float* second, float* cosines, float* sines, int count)
        {
            int i = 0;
            for (; i <= count - 8; i += 8)
            {
                Vector256<float> x = Vector256.Load(first + i);
                Vector256<float> y = Vector256.Load(second + i);
                Vector256<float> cosine = Vector256.Load(cosines + i);
                Vector256<float> sine = Vector256.Load(sines + i);
                Vector256.FusedMultiplyAdd(x, cosine, -(y * sine)).Store(first + i);
                Vector256.FusedMultiplyAdd(y, cosine, x * sine).Store(second + i);
            }

            for (; i < count; i++)
            {
                RotateReference.Turn(ref first[i], ref second[i], cosines[i], sines[i]);
            }
        }
    }
}
