namespace Sluice.Compute.Ops.Moe;

/// <summary>The definition of the weighted sum of rows: one chain of fused multiply-adds an element, in the order of the rows.</summary>
internal static unsafe class WeightedSumReference
{
    public static void Run(Tensor output, Tensor input, Tensor weights, bool accumulate)
    {
        for (int row = 0; row < output.Rows; row++)
        {
            float* target = (float*)output.Address + ((long)row * output.RowStride);
            float* weight = (float*)weights.Address + ((long)row * weights.RowStride);
            for (int column = 0; column < output.Columns; column++)
            {
                float sum = accumulate ? target[column] : 0;
                for (int i = 0; i < weights.Columns; i++)
                {
                    float* source = (float*)input.Address + (((long)row * weights.Columns) + i) * input.RowStride;
                    sum = MathF.FusedMultiplyAdd(weight[i], source[column], sum);
                }

                target[column] = sum;
            }
        }
    }
}
