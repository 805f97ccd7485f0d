namespace Sluice.Compute.Ops.Elementwise;

/// <summary>The definition of accumulator += input.</summary>
internal static unsafe class AddReference
{
    public static void Run(Tensor accumulator, Tensor input)
    {
        for (long row = 0; row < input.Rows; row++)
        {
            float* target = (float*)accumulator.Address + (row * accumulator.RowStride);
            float* source = (float*)input.Address + (row * input.RowStride);
            for (int i = 0; i < input.Columns; i++)
            {
                target[i] += source[i];
            }
        }
    }
}
