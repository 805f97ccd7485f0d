using Sluice.Compute.Ops.Attention;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>
/// A batch in the paged cache of any device, in blocks of random order, and what it holds in float32. Numbers are such that the
/// device's type, and FP8 where the cache has it, hold them exactly.
/// </summary>
internal sealed class AttentionData
{
    private readonly OpDevice _device;
    private readonly AttentionCase _case;
    private readonly float[] _queries;
    private readonly float[] _sinks;
    private readonly float[][] _keys;
    private readonly float[][] _values;
    private readonly Tensor _queryTensor;
    private readonly KvLayer _layer;
    private readonly AttentionPlan _plan;
    private readonly AttentionShape _shape;

    public AttentionData(OpDevice device, AttentionCase attention)
    {
        _device = device;
        _case = attention;
        DType cacheType = attention.Type == DType.Float8E4M3 ? DType.Float8E4M3 : device.Type;
        int sequences = attention.Contexts.Length;
        int[] blockCounts = [.. attention.Contexts.Select(context => (context + attention.BlockSize - 1) / attention.BlockSize)];
        int blocks = blockCounts.Sum() + 3;
        int[] order = [.. Enumerable.Range(0, blocks)];
        new Random(5).Shuffle(order);
        int[][] tables = new int[sequences][];
        int used = 0;
        for (int s = 0; s < sequences; s++)
        {
            tables[s] = order[used..(used + blockCounts[s])];
            used += blockCounts[s];
        }

        _layer = device.Backend.AllocateKvLayer(
            blocks, attention.BlockSize, attention.KvHeads, attention.KeyDim, attention.ValueDim, cacheType);
        Write([.. Enumerable.Range(0, blocks * attention.BlockSize)], float.NaN, float.NaN);
        _keys = new float[sequences][];
        _values = new float[sequences][];
        for (int s = 0; s < sequences; s++)
        {
            int[] slots = [.. Enumerable.Range(0, attention.Contexts[s]).Select(t => (tables[s][t / attention.BlockSize] * attention.BlockSize) + (t % attention.BlockSize))];
            (_keys[s], _values[s]) = Write(slots, 3, 1);
        }

        int rows = attention.Queries.Sum();
        _queries = device.Random(rows * attention.Heads * attention.KeyDim);
        _queryTensor = device.Activations(_queries, rows, attention.Gap);
        Output = device.Poisoned(rows, attention.Heads * attention.ValueDim, attention.Gap);
        _sinks = [.. device.Random(attention.Heads, 4)];
        _shape = attention.Shape with { Sinks = attention.Sinks ? device.Floats(_sinks) : default };

        int[] starts = new int[sequences + 1];
        for (int s = 0; s < sequences; s++)
        {
            starts[s + 1] = starts[s] + attention.Queries[s];
        }

        int widest = blockCounts.Max();
        Tensor tableTensor = device.Backend.Allocate(sequences, widest, DType.Int32);

        // Beyond a sequence's blocks a table says nothing: an address far out of the cache.
        int[] table = new int[sequences * widest];
        Array.Fill(table, int.MaxValue);
        for (int s = 0; s < sequences; s++)
        {
            tables[s].CopyTo(table, s * widest);
        }

        device.Backend.Upload<int>(tableTensor, table);
        _plan = new AttentionPlan(
            device.Integers(starts), device.Integers(attention.Contexts), tableTensor, default, default, sequences, rows,
            attention.Queries.Max(), attention.Contexts.Max());
    }

    public Tensor Output { get; }

    /// <summary>Other contexts for the next runs, none longer than the case's.</summary>
    public void SetContexts(int[] contexts) => _device.Backend.Upload<int>(_plan.ContextLengths, contexts);

    /// <summary>The rows' results, of an output that was NaN.</summary>
    public float[] Run()
    {
        _device.Poison(Output);
        Enqueue();
        return _device.Read(Output);
    }

    public void Enqueue()
    {
        if (_device.Form == Form.Reference)
        {
            PagedAttentionReference.Run(Output, _queryTensor, _layer, _plan, _shape);
        }
        else
        {
            _device.Backend.PagedAttention(Output, _queryTensor, _layer, _plan, _shape);
        }
    }

    /// <summary>Fails unless the errors' norms are small against the results', of all rows together and of each row and head.</summary>
    public void AssertIsDefinition(float[] actual, double tolerance, double headTolerance)
    {
        double error = 0;
        double norm = 0;
        int row = 0;
        double[] expected = new double[_case.ValueDim];
        for (int s = 0; s < _case.Contexts.Length; s++)
        {
            for (int position = _case.Contexts[s] - _case.Queries[s]; position < _case.Contexts[s]; position++, row++)
            {
                for (int head = 0; head < _case.Heads; head++)
                {
                    int first = (row * _case.Heads) + head;
                    Attend(expected, s, position, head, _queries.AsSpan(first * _case.KeyDim, _case.KeyDim));
                    double headError = 0;
                    double headNorm = 0;
                    for (int i = 0; i < expected.Length; i++)
                    {
                        double difference = actual[(first * _case.ValueDim) + i] - expected[i];
                        headError += difference * difference;
                        headNorm += expected[i] * expected[i];
                    }

                    Assert.True(
                        Math.Sqrt(headError) <= headTolerance * Math.Sqrt(headNorm),
                        $"Sequence {s}, position {position}, head {head}: error {Math.Sqrt(headError / headNorm):E2} of the result.");
                    error += headError;
                    norm += headNorm;
                }
            }
        }

        Assert.InRange(Math.Sqrt(error / norm), 0, tolerance);
    }

    private void Attend(double[] result, int sequence, int position, int head, ReadOnlySpan<float> query)
    {
        int kvHead = head / (_case.Heads / _case.KvHeads);
        int first = _case.Window > 0 ? Math.Max(0, position - _case.Window + 1) : 0;
        double sum = _case.Sinks ? Math.Exp(_sinks[head]) : 0;
        Array.Clear(result);
        for (int token = first; token <= position; token++)
        {
            ReadOnlySpan<float> key = _keys[sequence].AsSpan(((token * _case.KvHeads) + kvHead) * _case.KeyDim, _case.KeyDim);
            double score = 0;
            for (int i = 0; i < key.Length; i++)
            {
                score += (double)query[i] * key[i];
            }

            // Scores stay below 50: no maximum is needed in double precision.
            score *= _shape.Scale;
            double weight = Math.Exp(_case.SoftCap > 0 ? _case.SoftCap * Math.Tanh(score / _case.SoftCap) : score);
            sum += weight;
            ReadOnlySpan<float> value = _values[sequence].AsSpan(((token * _case.KvHeads) + kvHead) * _case.ValueDim, _case.ValueDim);
            for (int i = 0; i < value.Length; i++)
            {
                result[i] += weight * value[i];
            }
        }

        for (int i = 0; i < result.Length; i++)
        {
            result[i] /= sum;
        }
    }

    private (float[] Keys, float[] Values) Write(int[] slots, float keyScale, float valueScale)
    {
        float[] keys = Exact(slots.Length * _case.KvHeads * _case.KeyDim, keyScale);
        float[] values = Exact(slots.Length * _case.KvHeads * _case.ValueDim, valueScale);
        Tensor keyTensor = _device.Activations(keys, slots.Length);
        Tensor valueTensor = _device.Activations(values, slots.Length);
        Tensor slotTensor = _device.Integers(slots);
        _device.Backend.RotateAndWriteKv(keyTensor.SliceColumns(0, 0), keyTensor, valueTensor, slotTensor, default, _layer, slotTensor);
        return (keys, values);
    }

    private float[] Exact(int count, float scale)
    {
        float[] numbers = _device.Random(count, scale);
        if (_case.Type == DType.Float8E4M3)
        {
            // Four significant bits above 2^-6, multiples of 2^-9 below.
            for (int i = 0; i < count; i++)
            {
                float magnitude = MathF.Abs(numbers[i]);
                float step = magnitude < 1 / 64f ? 1 / 512f : MathF.ScaleB(1, MathF.ILogB(magnitude) - 3);
                numbers[i] = float.IsNaN(magnitude) ? magnitude : MathF.CopySign(MathF.Round(magnitude / step) * step, numbers[i]);
            }
        }

        return numbers;
    }
}
