namespace Sluice.Compute.Ops.Attention;

/// <summary>The definition of the rotary embedding: element i turns with element i + rotaryDim / 2.</summary>
internal static unsafe class RotateReference
{
    public static void Run(Tensor heads, int headDim, Tensor positions, RotaryTable table)
    {
        int half = table.RotaryDim / 2;
        for (int token = 0; token < heads.Rows; token++)
        {
            long position = ((int*)positions.Address)[token];
            float* cosines = (float*)table.Cosines.Address + (position * table.Cosines.RowStride);
            float* sines = (float*)table.Sines.Address + (position * table.Sines.RowStride);
            for (int start = 0; start < heads.Columns; start += headDim)
            {
                float* head = (float*)heads.Address + ((long)token * heads.RowStride) + start;
                for (int i = 0; i < half; i++)
                {
                    Turn(ref head[i], ref head[i + half], cosines[i], sines[i]);
                }
            }
        }
    }

    public static void Turn(ref float first, ref float second, float cosine, float sine)
    {
        float x = first;
        float y = second;
        first = MathF.FusedMultiplyAdd(x, cosine, -(y * sine));
        second = MathF.FusedMultiplyAdd(y, cosine, x * sine);
    }
}
