namespace Sluice.Compute.Ops.Linear;

/// <summary>The definition of the linear layer: one chain of fused multiply-adds an output element, the bias last.</summary>
internal static unsafe class LinearReference
{
    public static void Run(Tensor output, Tensor input, Weight weight, Tensor? bias)
    {
        for (int row = 0; row < input.Rows; row++)
        {
            float* x = (float*)input.Address + ((long)row * input.RowStride);
            float* y = (float*)output.Address + ((long)row * output.RowStride);
            for (int feature = 0; feature < weight.Rows; feature++)
            {
                float sum = 0;
                for (int k = 0; k < weight.Columns; k++)
                {
                    sum = MathF.FusedMultiplyAdd(x[k], PackedWeight.Read(weight, feature, k), sum);
                }

                y[feature] = bias is { } b ? sum + ((float*)b.Address)[feature] : sum;
            }
        }
    }
}
