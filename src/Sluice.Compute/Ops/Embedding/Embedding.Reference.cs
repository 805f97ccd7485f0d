using Sluice.Compute.Ops.Linear;


namespace Sluice.Compute.Ops.Embedding;

/// <summary>The definitions of row look-ups.</summary>
internal static unsafe class EmbeddingReference
{
    /// <summary>output[t] = table[tokenIds[t]] * scale.</summary>
    public static void Run(Tensor output, Weight table, Tensor tokenIds, float scale)
    {
        for (int token = 0; token < output.Rows; token++)
        {
            float* result = (float*)output.Address + ((long)token * output.RowStride);
            int id = ((int*)tokenIds.Address)[token];
            for (int column = 0; column < table.Columns; column++)
            {
                result[column] = PackedWeight.Read(table, id, column) * scale;
            }
        }
    }

    /// <summary>output[i] = input[rows[i]].</summary>
    public static void GatherRows(Tensor output, Tensor input, Tensor rows)
    {
        for (int i = 0; i < output.Rows; i++)
        {
            float* source = (float*)input.Address + ((long)((int*)rows.Address)[i] * input.RowStride);
            float* target = (float*)output.Address + ((long)i * output.RowStride);
            for (int column = 0; column < output.Columns; column++)
            {
                target[column] = source[column];
            }
        }
    }
}
