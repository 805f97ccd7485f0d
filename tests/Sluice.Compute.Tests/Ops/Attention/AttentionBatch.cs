using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Attention;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>Shapes of an attention test. The last Queries[s] tokens of each context are query rows.</summary>
public sealed record AttentionCase
{
    public int Heads { get; init; }

    public int KvHeads { get; init; }

    public int KeyDim { get; init; }

    public int ValueDim { get; init; }

    public int[] Contexts { get; init; } = [];

    public int[] Queries { get; init; } = [];

    public int Window { get; init; }

    public float SoftCap { get; init; }

    public bool Sinks { get; init; }

    public bool ValuesInKeys { get; init; }

    public int BlockSize { get; init; } = 16;

    public DType Type { get; init; } = DType.Float32;

    /// <summary>Elements between the rows of queries and outputs, where a test has such.</summary>
    public int Gap { get; init; } = 8;

    /// <summary>The shape without sinks, which live in a batch's memory.</summary>
    public AttentionShape Shape => new(Heads, KvHeads, KeyDim, 1 / MathF.Sqrt(KeyDim), Window, SoftCap);

    public override string ToString()
        => $"{Heads}/{KvHeads} heads, {KeyDim}/{ValueDim}, contexts {string.Join('+', Contexts)}, queries {string.Join('+', Queries)}, "
            + $"window {Window}, cap {SoftCap}, sinks {Sinks}, values in keys {ValuesInKeys}, "
            + $"block {BlockSize}, gap {Gap}, {Type}";
}

/// <summary>A cache filled through <see cref="IBackend.RotateAndWriteKv"/>, in blocks of random order, and the plan of a batch over it.</summary>
internal sealed unsafe class AttentionBatch : IDisposable
{
    private readonly TestTensors _tensors;
    private readonly AttentionCase _case;
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;
    private readonly int[][] _tables;

    public AttentionBatch(AttentionCase attention, int threads = 2)
    {
        _case = attention;
        _tensors = new TestTensors(seed: attention.Contexts.Sum() + attention.KeyDim, threads);
        int sequences = attention.Contexts.Length;
        int blocks = attention.Contexts.Sum(context => BlocksOf(context)) + 3;
        Layer = Backend.AllocateKvLayer(
            blocks, attention.BlockSize, attention.KvHeads, attention.KeyDim, attention.ValueDim, attention.Type, attention.ValuesInKeys);
        int[] order = [.. Enumerable.Range(0, blocks)];
        new Random(5).Shuffle(order);
        _keys = new Tensor[sequences];
        _values = new Tensor[sequences];
        _tables = new int[sequences][];
        int used = 0;
        for (int s = 0; s < sequences; s++)
        {
            int context = attention.Contexts[s];
            _tables[s] = order[used..(used + BlocksOf(context))];
            used += BlocksOf(context);
            _keys[s] = _tensors.Random(context, attention.KvHeads * attention.KeyDim, gap: 8, scale: 3);
            _values[s] = _tensors.Random(context, attention.KvHeads * attention.ValueDim, gap: 8);
            Tensor written = attention.ValuesInKeys ? _values[s].SliceColumns(0, 0) : _values[s];
            Tensor slots = _tensors.Integers([.. Enumerable.Range(0, context).Select(t => SlotOf(s, t))]);
            Backend.RotateAndWriteKv(_keys[s].SliceColumns(0, 0), _keys[s], written, slots, default, Layer, slots);
        }

        Queries = _tensors.Random(attention.Queries.Sum(), attention.Heads * attention.KeyDim, gap: 16);
        Shape = attention.Sinks ? attention.Shape with { Sinks = _tensors.Random(1, attention.Heads, scale: 4) } : attention.Shape;
        Plan = PlanOf([.. Enumerable.Range(0, sequences)], attention.Contexts, attention.Queries);
    }

    public CpuBackend Backend => _tensors.Backend;

    public KvLayer Layer { get; }

    public Tensor Queries { get; }

    public AttentionPlan Plan { get; }

    public AttentionShape Shape { get; }

    public Tensor NewOutput() => Backend.Allocate(_case.Queries.Sum(), _case.Heads * _case.ValueDim, DType.Float32);

    /// <summary>The plan of <paramref name="count"/> query rows of one sequence from position <paramref name="start"/>.</summary>
    public AttentionPlan PlanOf(int sequence, int start, int count) => PlanOf([sequence], [start + count], [count]);

    public void PoisonUnusedSlots()
    {
        KvLayout layout = new(Layer);
        HashSet<int> used = [.. Enumerable.Range(0, _tables.Length).SelectMany(s => Enumerable.Range(0, _case.Contexts[s]).Select(t => SlotOf(s, t)))];
        for (int slot = 0; slot < Layer.BlockCount * Layer.BlockSize; slot++)
        {
            if (!used.Contains(slot))
            {
                for (int head = 0; head < Layer.Heads; head++)
                {
                    int block = slot / Layer.BlockSize;
                    int offset = slot % Layer.BlockSize;
                    *(float*)layout.KeyElement(block, head, offset, 1) = float.NaN;
                    *(float*)layout.ValueElement(block, head, offset, 1) = float.PositiveInfinity;
                }
            }
        }
    }

    public void AssertIsSoftmaxAttention(Tensor output, double tolerance)
    {
        int row = 0;
        for (int s = 0; s < _case.Contexts.Length; s++)
        {
            for (int position = _case.Contexts[s] - _case.Queries[s]; position < _case.Contexts[s]; position++, row++)
            {
                for (int head = 0; head < _case.Heads; head++)
                {
                    double[] expected = Attend(s, position, head, TestTensors.Row(Queries, row).Slice(head * _case.KeyDim, _case.KeyDim));
                    for (int i = 0; i < _case.ValueDim; i++)
                    {
                        Assert.Equal(expected[i], TestTensors.Row(output, row)[(head * _case.ValueDim) + i], tolerance);
                    }
                }
            }
        }
    }

    public void Dispose() => _tensors.Dispose();

    private double[] Attend(int sequence, int position, int head, ReadOnlySpan<float> query)
    {
        int kvHead = head / (_case.Heads / _case.KvHeads);
        int first = _case.Window > 0 ? Math.Max(0, position - _case.Window + 1) : 0;
        double[] result = new double[_case.ValueDim];
        double sum = 0;
        for (int token = first; token <= position; token++)
        {
            double score = 0;
            for (int i = 0; i < query.Length; i++)
            {
                score += (double)query[i] * TestTensors.Round(TestTensors.Row(_keys[sequence], token)[(kvHead * _case.KeyDim) + i], _case.Type);
            }

            score *= Shape.Scale;
            score = _case.SoftCap > 0 ? _case.SoftCap * Math.Tanh(score / _case.SoftCap) : score;
            double weight = Math.Exp(score);
            sum += weight;
            for (int i = 0; i < result.Length; i++)
            {
                result[i] += weight * TestTensors.Round(ValueOf(sequence, token, kvHead)[i], _case.Type);
            }
        }

        if (_case.Sinks)
        {
            sum += Math.Exp(TestTensors.Row(Shape.Sinks, 0)[head]);
        }

        return [.. result.Select(value => value / sum)];
    }

    private ReadOnlySpan<float> ValueOf(int sequence, int token, int kvHead) => _case.ValuesInKeys
        ? TestTensors.Row(_keys[sequence], token).Slice(kvHead * _case.KeyDim, _case.ValueDim)
        : TestTensors.Row(_values[sequence], token).Slice(kvHead * _case.ValueDim, _case.ValueDim);

    private AttentionPlan PlanOf(int[] sequences, int[] contexts, int[] queries)
    {
        int[] starts = new int[sequences.Length + 1];
        for (int i = 0; i < sequences.Length; i++)
        {
            starts[i + 1] = starts[i] + queries[i];
        }

        int widest = sequences.Max(s => _tables[s].Length);
        Tensor tables = Backend.Allocate(sequences.Length, widest, DType.Int32);
        for (int i = 0; i < sequences.Length; i++)
        {
            Backend.Upload<int>(tables.SliceRows(i, 1).SliceColumns(0, _tables[sequences[i]].Length), _tables[sequences[i]]);
        }

        Tensor none = default;
        return new AttentionPlan(
            _tensors.Integers(starts),
            _tensors.Integers(contexts),
            tables,
            none,
            none,
            sequences.Length,
            starts[^1],
            queries.Max(),
            contexts.Max());
    }

    private int BlocksOf(int tokens) => (tokens + _case.BlockSize - 1) / _case.BlockSize;

    private int SlotOf(int sequence, int token)
        => (_tables[sequence][token / _case.BlockSize] * _case.BlockSize) + (token % _case.BlockSize);
}
