namespace Sluice.Compute.Ops.Activations;

/// <summary>The definition of x = cap * tanh(x / cap).</summary>
internal static unsafe class SoftCapReference
{
    public static void Run(Tensor values, float cap)
    {
        for (long row = 0; row < values.Rows; row++)
        {
            float* x = (float*)values.Address + (row * values.RowStride);
            for (int i = 0; i < values.Columns; i++)
            {
                x[i] = Apply(x[i], cap);
            }
        }
    }

    public static float Apply(float x, float cap) => cap * ScalarMath.Tanh(x / cap);
}
