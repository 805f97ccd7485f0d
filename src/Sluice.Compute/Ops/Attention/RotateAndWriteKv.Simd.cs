using System.Runtime.Intrinsics;
using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Linear;
using Sluice.Compute.Ops.Norm;

namespace Sluice.Compute.Ops.Attention;

/// <summary>Norms of heads, rotary embedding, eight pairs at a time, and the cache write of a row while it is near; tokens in parallel.</summary>
internal static unsafe class RotateAndWriteKvSimd
{
    // An element of a cached key or value lies a cache line from the next, so it costs more than its size says.
    private const int WorkPerCachedElement = 4;

    public static void Run(
        CpuContext context, Tensor queries, Tensor keys, Tensor values, Tensor positions, RotaryTable table, KvLayer layer, Tensor slots,
        HeadNorms? norms)
    {
        Guard.RequireShapes(
            queries.Columns % layer.KeyDim == 0 && keys.Columns == layer.Heads * layer.KeyDim
                && values.Columns == (layer.ValuesInKeys ? 0 : layer.Heads * layer.ValueDim) && queries.Rows == keys.Rows && values.Rows == keys.Rows
                && table.FirstElement + table.RotaryDim <= layer.KeyDim && table.RotaryDim / 2 <= table.Cosines.Columns
                && keys.Rows <= positions.Columns && keys.Rows <= slots.Columns
                && (norms is not { } n || (n.QueryGain.Columns == layer.KeyDim && n.KeyGain.Columns == layer.KeyDim)),
            "RotateAndWriteKv");
        RotateAndWriteJob job = new()
        {
            Queries = queries,
            Keys = keys,
            Values = values,
            Norms = norms,
            Positions = (int*)positions.Address,
            Table = table,
            Layer = layer,
            Layout = new KvLayout(layer),
            Slots = (int*)slots.Address,
            Parts = context.PartsFor(
                keys.Rows, queries.Columns + (((long)keys.Columns + values.Columns) * WorkPerCachedElement)),
        };
        context.Pool.Run(ref job, job.Parts);
    }

    private struct RotateAndWriteJob : IParallelJob
    {
        public Tensor Queries;
        public Tensor Keys;
        public Tensor Values;
        public HeadNorms? Norms;
        public int* Positions;
        public RotaryTable Table;
        public KvLayer Layer;
        public KvLayout Layout;
        public int* Slots;
        public int Parts;

        public readonly void Execute(int index, int thread)
        {
            (int start, int end) = CpuContext.Range(Keys.Rows, index, Parts);
            for (int token = start; token < end; token++)
            {
                if (Norms is { } norms)
                {
                    NormHeads(Queries, token, norms.QueryGain, norms);
                    NormHeads(Keys, token, norms.KeyGain, norms);
                }

                if (Table.RotaryDim > 0)
                {
                    Rotate(token);
                }

                Write(token);
            }
        }

        private readonly void NormHeads(Tensor heads, int token, Tensor gain, in HeadNorms norms)
        {
            float* head = (float*)heads.Address + ((long)token * heads.RowStride);
            for (int column = 0; column < heads.Columns; column += Layer.KeyDim, head += Layer.KeyDim)
            {
                RmsNormSimd.Normalize(head, head, (float*)gain.Address, Layer.KeyDim, norms.Epsilon, norms.GainOffset);
            }
        }

        private readonly void Rotate(int token)
        {
            long position = Positions[token];
            Guard.RequireIndex(position, Table.Cosines.Rows, "position");
            float* cosines = (float*)Table.Cosines.Address + (position * Table.Cosines.RowStride);
            float* sines = (float*)Table.Sines.Address + (position * Table.Sines.RowStride);
            RotateHeads(Queries, token, cosines, sines);
            RotateHeads(Keys, token, cosines, sines);
        }

        private readonly void RotateHeads(Tensor heads, int token, float* cosines, float* sines)
        {
            int half = Table.RotaryDim / 2;
            float* head = (float*)heads.Address + ((long)token * heads.RowStride) + Table.FirstElement;
            for (int column = 0; column < heads.Columns; column += Layer.KeyDim, head += Layer.KeyDim)
            {
                if (Table.IsInterleaved)
                {
                    TurnNeighbours(head, cosines, sines, half);
                }
                else
                {
                    Turn(head, head + half, cosines, sines, half);
                }
            }
        }

        private static void TurnNeighbours(float* pairs, float* cosines, float* sines, int count)
        {
            Vector256<int> twice = Vector256.Create(0, 0, 1, 1, 2, 2, 3, 3);
            Vector256<int> swapped = Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6);
            Vector256<float> signs = Vector256.Create(-0f, 0, -0f, 0, -0f, 0, -0f, 0);
            int i = 0;
            for (; i <= count - 4; i += 4)
            {
                Vector256<float> x = Vector256.Load(pairs + (2 * i));
                Vector256<float> cosine = Vector256.Shuffle(Vector128.Load(cosines + i).ToVector256(), twice);
                Vector256<float> sine = Vector256.Shuffle(Vector128.Load(sines + i).ToVector256(), twice);
                Vector256<float> crossed = (Vector256.Shuffle(x, swapped) * sine) ^ signs;
                Vector256.FusedMultiplyAdd(x, cosine, crossed).Store(pairs + (2 * i));
            }

            for (; i < count; i++)
            {
                RotateAndWriteKvReference.Turn(ref pairs[2 * i], ref pairs[(2 * i) + 1], cosines[i], sines[i]);
            }
        }

        private static void Turn(float* first, float* second, float* cosines, float* sines, int count)
        {
            int i = 0;
            for (; i <= count - 8; i += 8)
            {
                Vector256<float> x = Vector256.Load(first + i);
                Vector256<float> y = Vector256.Load(second + i);
                Vector256<float> cosine = Vector256.Load(cosines + i);
                Vector256<float> sine = Vector256.Load(sines + i);
                Vector256.FusedMultiplyAdd(x, cosine, -(y * sine)).Store(first + i);
                Vector256.FusedMultiplyAdd(y, cosine, x * sine).Store(second + i);
            }

            for (; i < count; i++)
            {
                RotateAndWriteKvReference.Turn(ref first[i], ref second[i], cosines[i], sines[i]);
            }
        }

        private readonly void Write(int token)
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
                if (!Layer.ValuesInKeys)
                {
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
