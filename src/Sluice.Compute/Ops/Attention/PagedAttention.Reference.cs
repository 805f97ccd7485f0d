using Sluice.Compute.Ops.Activations;

namespace Sluice.Compute.Ops.Attention;

/// <summary>
/// The definition of causal attention over the paged cache, for each query row and head by itself. The context is taken in
/// chunks of 64 tokens at absolute positions with a running maximum, chunks in partitions of 512 tokens whose results are
/// merged in order: the same arithmetic whatever the batch, the chunking of prompts or the number of threads.
/// </summary>
internal static unsafe class PagedAttentionReference
{
    /// <summary>Tokens between two corrections of the running maximum.</summary>
    public const int ChunkTokens = 64;

    /// <summary>Tokens of a part of the context that can be computed independently.</summary>
    public const int PartitionTokens = 512;

    private const int SumLanes = 8;

    public static void Run(Tensor output, Tensor queries, KvLayer layer, AttentionPlan plan, AttentionShape shape)
    {
        int* starts = (int*)plan.QueryStarts.Address;
        int* contexts = (int*)plan.ContextLengths.Address;
        for (int sequence = 0; sequence < plan.SequenceCount; sequence++)
        {
            int* blocks = (int*)plan.BlockTables.Address + ((long)sequence * plan.BlockTables.RowStride);
            for (int row = starts[sequence]; row < starts[sequence + 1]; row++)
            {
                int position = contexts[sequence] - (starts[sequence + 1] - row);
                for (int head = 0; head < shape.Heads; head++)
                {
                    float* query = (float*)queries.Address + ((long)row * queries.RowStride) + (head * shape.HeadDim);
                    float* result = (float*)output.Address + ((long)row * output.RowStride) + (head * layer.ValueDim);
                    float? sink = shape.Sinks.Address != 0 ? ((float*)shape.Sinks.Address)[head] : null;
                    RunRow(result, query, layer, blocks, position, head / (shape.Heads / shape.KvHeads), shape, sink);
                }
            }
        }
    }

    private static void RunRow(
        float* output, float* query, KvLayer layer, int* blocks, int position, int head, AttentionShape shape, float? sink)
    {
        int first = shape.Window > 0 ? Math.Max(0, position - shape.Window + 1) : 0;
        State total = new(layer.ValueDim);
        for (int partition = first / PartitionTokens * PartitionTokens; partition <= position; partition += PartitionTokens)
        {
            State part = new(layer.ValueDim);
            int partitionEnd = Math.Min(partition + PartitionTokens, position + 1);
            for (int chunk = partition; chunk < partitionEnd; chunk += ChunkTokens)
            {
                int start = Math.Max(chunk, first);
                int end = Math.Min(chunk + ChunkTokens, position + 1);
                if (start < end)
                {
                    AddChunk(part, query, layer, blocks, head, shape, start, end);
                }
            }

            total.Merge(part);
        }

        if (sink is float score)
        {
            total.Rescale(ScalarMath.MaxNative(score, total.Maximum));
            total.Sum += score == total.Maximum ? 1 : ScalarMath.Exp(score - total.Maximum);
        }

        float sum = total.Sum;
        for (int i = 0; i < layer.ValueDim; i++)
        {
            output[i] = total.Values[i] / sum;
        }
    }

    private static void AddChunk(
        State state, float* query, KvLayer layer, int* blocks, int head, AttentionShape shape, int start, int end)
    {
        KvLayout layout = new(layer);
        float[] scores = new float[end - start];
        float maximum = float.NegativeInfinity;
        for (int token = start; token < end; token++)
        {
            float score = 0;
            for (int i = 0; i < shape.HeadDim; i++)
            {
                byte* key = layout.KeyElement(blocks[token / layer.BlockSize], head, token % layer.BlockSize, i);
                score = MathF.FusedMultiplyAdd(query[i] * shape.Scale, Elements.Widen(key, layer.Type), score);
            }

            scores[token - start] = shape.SoftCap > 0 ? SoftCapReference.Apply(score, shape.SoftCap) : score;
            maximum = ScalarMath.MaxNative(maximum, scores[token - start]);
        }

        state.Rescale(ScalarMath.MaxNative(maximum, state.Maximum));
        float[] sums = new float[SumLanes];
        for (int token = start; token < end; token++)
        {
            float weight = ScalarMath.Exp(scores[token - start] - state.Maximum);
            sums[token % SumLanes] += weight;
            for (int i = 0; i < layer.ValueDim; i++)
            {
                byte* value = layout.ValueElement(blocks[token / layer.BlockSize], head, token % layer.BlockSize, i);
                state.Values[i] = MathF.FusedMultiplyAdd(weight, Elements.Widen(value, layer.Type), state.Values[i]);
            }
        }

        float[] halves = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
        state.Sum += (halves[0] + halves[2]) + (halves[1] + halves[3]);
    }

    private sealed class State(int valueDim)
    {
        public float Maximum { get; private set; } = float.NegativeInfinity;

        public float Sum { get; set; }

        public float[] Values { get; } = new float[valueDim];

        public void Rescale(float maximum)
        {
            float factor = maximum == Maximum ? 1 : ScalarMath.Exp(Maximum - maximum);
            Maximum = maximum;
            Sum *= factor;
            for (int i = 0; i < Values.Length; i++)
            {
                Values[i] *= factor;
            }
        }

        public void Merge(State part)
        {
            Rescale(ScalarMath.MaxNative(part.Maximum, Maximum));
            float factor = part.Maximum == Maximum ? 1 : ScalarMath.Exp(part.Maximum - Maximum);
            Sum = MathF.FusedMultiplyAdd(part.Sum, factor, Sum);
            for (int i = 0; i < Values.Length; i++)
            {
                Values[i] = MathF.FusedMultiplyAdd(part.Values[i], factor, Values[i]);
            }
        }
    }
}
