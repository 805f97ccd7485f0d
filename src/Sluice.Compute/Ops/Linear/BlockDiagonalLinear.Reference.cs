namespace Sluice.Compute.Ops.Linear;

/// <summary>The definition of a linear layer with one block a group of columns: chains as in <see cref="LinearReference"/>.</summary>
internal static unsafe class BlockDiagonalLinearReference
{
    public static void Run(Tensor output, Tensor input, Weight weight, int groups)
    {
        int blockRows = weight.Rows / groups;
        int inputWidth = input.Columns / groups;
        int outputWidth = output.Columns / groups;
        for (int row = 0; row < input.Rows; row++)
        {
            for (int group = 0; group < groups; group++)
            {
                float* x = (float*)input.Address + ((long)row * input.RowStride) + (group * inputWidth);
                float* y = (float*)output.Address + ((long)row * output.RowStride) + (group * outputWidth);
                for (int feature = 0; feature < blockRows; feature++)
                {
                    float sum = 0;
                    for (int k = 0; k < weight.Columns; k++)
                    {
                        sum = MathF.FusedMultiplyAdd(x[k], PackedWeight.Read(weight, (group * blockRows) + feature, k), sum);
                    }

                    y[feature] = sum;
                }

                for (int rest = 0; rest < inputWidth - weight.Columns; rest++)
                {
                    y[blockRows + rest] = x[weight.Columns + rest];
                }
            }
        }
    }
}
