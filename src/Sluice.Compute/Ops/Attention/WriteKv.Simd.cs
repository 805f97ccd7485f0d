using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Linear;


namespace Sluice.Compute.Ops.Attention;

/// <summary>Writes keys and values of a step into their slots; tokens in parallel.</summary>
internal static unsafe class WriteKvSimd
{
    // A key's elements lie a cache line apart, so they cost more than their size says.
    private const int WorkPerElement = 4;

    public static void Run(CpuContext context, KvLayer layer, Tensor keys, Tensor values, Tensor slots)
    {
        Guard.RequireShapes(
            keys.Columns == layer.Heads * layer.KeyDim && values.Columns == layer.Heads * layer.ValueDim
                && keys.Rows == values.Rows && keys.Rows <= slots.Columns,
            "WriteKv");
        WriteJob job = new()
        {
            Layer = layer,
            Layout = new KvLayout(layer),
            Keys = keys,
            Values = values,
            Slots = (int*)slots.Address,
            Parts = context.PartsFor(keys.Rows, (long)layer.Heads * (layer.KeyDim + layer.ValueDim) * WorkPerElement),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private struct WriteJob : IParallelJob
    {
        public KvLayer Layer;
        public KvLayout Layout;
        public Tensor Keys;
        public Tensor Values;
        public int* Slots;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Keys.Rows, index, Parts);
            for (int token = start; token < end; token++)
            {
                int slot = Slots[token];
                Guard.RequireIndex(slot, (long)Layer.BlockCount * Layer.BlockSize, "cache slot");
                int block = slot / Layer.BlockSize;

                int offset = slot % Layer.BlockSize;
                float* key = (float*)Keys.Address + ((long)token * Keys.RowStride);
                float* value = (float*)Values.Address + ((long)token * Values.RowStride);
                for (int head = 0; head < Layer.Heads; head++, key += Layer.KeyDim, value += Layer.ValueDim)
                {
                    WriteKey(block, head, offset, key);
                    WriteValue(block, head, offset, value);
                }
            }
        }

        private readonly void WriteKey(int block, int head, int offset, float* key)
        {
            byte* even = Layout.KeyElement(block, head, offset, 0);
            byte* odd = Layout.KeyElement(block, head, offset, 1);
            int pairBytes = PackedWeight.PairBytes(Layer.Type);
            int i = 0;
            for (; i < Layer.KeyDim - 1; i += 2, even += pairBytes, odd += pairBytes)
            {
                Elements.Narrow(key[i], even, Layer.Type);
                Elements.Narrow(key[i + 1], odd, Layer.Type);
            }

            if (i < Layer.KeyDim)
            {
                Elements.Narrow(key[i], even, Layer.Type);
            }
        }

        private readonly void WriteValue(int block, int head, int offset, float* value)
        {
            for (int start = 0; start < Layer.ValueDim; start += PackedWeight.PanelRows)
            {
                byte* lane = Layout.ValueElement(block, head, offset, start);
                int end = Math.Min(start + PackedWeight.PanelRows, Layer.ValueDim);
                for (int i = start; i < end; i++, lane += sizeof(uint))
                {
                    Elements.Narrow(value[i], lane, Layer.Type);
                }
            }
        }
    }
}
