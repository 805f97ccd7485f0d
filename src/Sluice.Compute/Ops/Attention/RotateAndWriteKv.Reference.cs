using Sluice.Compute.Ops.Norm;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// The definition of the norms of heads, the rotary embedding (element i turns with element i + rotaryDim / 2, or with its neighbour)
/// and of writing keys and values into their cache slots.
/// </summary>
internal static unsafe class RotateAndWriteKvReference
{
    public static void Run(
        Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots, HeadNorms? norms = null)
    {
        if (norms is { } norm)
        {
            RmsNormReference.Run(queries, queries, norm.QueryGain, norm.Epsilon, norm.GainOffset);
            RmsNormReference.Run(keys, keys, norm.KeyGain, norm.Epsilon, norm.GainOffset);
        }

        Rotate(queries, layer.KeyDim, positions, table);
        Rotate(keys, layer.KeyDim, positions, table);
        Write(layer, keys, values, slots);
    }

    public static void Turn(ref float first, ref float second, float cosine, float sine)
    {
        float x = first;
        float y = second;
        first = MathF.FusedMultiplyAdd(x, cosine, -(y * sine));
        second = MathF.FusedMultiplyAdd(y, cosine, x * sine);
    }

    private static void Rotate(Tensor heads, int headDim, Tensor positions, RotaryTable table)
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
                    int first = table.FirstElement + (table.IsInterleaved ? 2 * i : i);
                    Turn(ref head[first], ref head[first + (table.IsInterleaved ? 1 : half)], cosines[i], sines[i]);
                }
            }
        }
    }

    private static void Write(KvLayer layer, Tensor keys, Tensor values, Tensor slots)
    {
        KvLayout layout = new(layer);
        for (int token = 0; token < keys.Rows; token++)
        {
            int slot = ((int*)slots.Address)[token];
            int block = slot / layer.BlockSize;
            int offset = slot % layer.BlockSize;
            float* key = (float*)keys.Address + ((long)token * keys.RowStride);
            float* value = (float*)values.Address + ((long)token * values.RowStride);
            for (int head = 0; head < layer.Heads; head++)
            {
                for (int i = 0; i < layer.KeyDim; i++)
                {
                    Elements.Narrow(key[(head * layer.KeyDim) + i], layout.KeyElement(block, head, offset, i), layer.Type);
                }

                for (int i = 0; i < layer.ValueDim && !layer.ValuesInKeys; i++)
                {
                    Elements.Narrow(value[(head * layer.ValueDim) + i], layout.ValueElement(block, head, offset, i), layer.Type);
                }
            }
        }
    }
}
