namespace Sluice.Compute.Ops.Attention;

/// <summary>The definition of writing keys and values into cache slots.</summary>
internal static unsafe class WriteKvReference
{
    public static void Run(KvLayer layer, Tensor keys, Tensor values, Tensor slots)
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

                for (int i = 0; i < layer.ValueDim; i++)
                {
                    Elements.Narrow(value[(head * layer.ValueDim) + i], layout.ValueElement(block, head, offset, i), layer.Type);
                }
            }
        }
    }
}
