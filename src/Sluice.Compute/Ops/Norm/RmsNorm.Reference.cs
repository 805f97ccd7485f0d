namespace Sluice.Compute.Ops.Norm;

/// <summary>
/// The definition of the root mean square norm. Squares are summed in 16 lanes (element i in lane i mod 16), lanes 0-7 and
/// 8-15 are added, then the eight by halves: an order that no vector width changes.
/// </summary>
internal static unsafe class RmsNormReference
{
    private const int Lanes = 16;

    public static void Run(Tensor output, Tensor input, Tensor gain, float epsilon, float gainOffset)
    {
        int width = gain.Columns;
        for (int row = 0; row < input.Rows; row++)
        {
            for (int start = 0; start < input.Columns; start += width)
            {
                float* x = (float*)input.Address + ((long)row * input.RowStride) + start;
                float* y = (float*)output.Address + ((long)row * output.RowStride) + start;
                float factor = Factor(x, width, epsilon);
                for (int i = 0; i < width; i++)
                {
                    y[i] = x[i] * factor * (((float*)gain.Address)[i] + gainOffset);
                }
            }
        }
    }

    /// <summary>residual += input; output = RmsNorm(residual).</summary>
    public static void RunAdd(Tensor output, Tensor residual, Tensor input, Tensor gain, float epsilon, float gainOffset)
    {
        for (int row = 0; row < input.Rows; row++)
        {
            float* sum = (float*)residual.Address + ((long)row * residual.RowStride);
            float* x = (float*)input.Address + ((long)row * input.RowStride);
            for (int i = 0; i < input.Columns; i++)
            {
                sum[i] += x[i];
            }
        }

        Run(output, residual, gain, epsilon, gainOffset);
    }

    private static float Factor(float* x, int width, float epsilon)
    {
        Span<float> lanes = stackalloc float[Lanes];
        lanes.Clear();
        for (int i = 0; i < width; i++)
        {
            lanes[i % Lanes] = MathF.FusedMultiplyAdd(x[i], x[i], lanes[i % Lanes]);
        }

        for (int half = Lanes / 2; half > 0; half /= 2)
        {
            for (int i = 0; i < half; i++)
            {
                lanes[i] += lanes[i + half];
            }
        }

        return 1 / MathF.Sqrt((lanes[0] / width) + epsilon);
    }
}
