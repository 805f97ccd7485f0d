using System.Diagnostics;
using System.Globalization;
using Sluice.Compute;
using Sluice.Compute.Cpu;

namespace Sluice.MicroBench;

/// <summary>
/// Whole steps of a Llama of TinyLlama's shape (22 layers of 2048, 32 and 4 heads of 64, feed-forward 5632, vocabulary 32,000,
/// bfloat16) with made-up weights, made of the backend's operations in the order of the model: the shares of the machine's limits
/// that are left of the kernels' shares once everything between them is paid.
/// </summary>
internal sealed class LlamaSteps : IDisposable
{
    private const int Layers = 22;
    private const int Hidden = 2048;
    private const int Heads = 32;
    private const int KvHeads = 4;
    private const int HeadDim = 64;
    private const int Intermediate = 5632;
    private const int Vocabulary = 32000;
    private const int MaxTokens = 512;
    private const int MaxContext = 1024;
    private const int BlockSize = 16;
    private const int MaxSequences = 8;
    private const int QkvColumns = (Heads + KvHeads + KvHeads) * HeadDim;

    private readonly CpuBackend _backend;
    private readonly Weight[] _qkv = new Weight[Layers];
    private readonly Weight[] _attentionOutput = new Weight[Layers];
    private readonly Weight[] _gateUp = new Weight[Layers];
    private readonly Weight[] _down = new Weight[Layers];
    private readonly KvLayer[] _cache = new KvLayer[Layers];
    private readonly Weight _embedding;
    private readonly Weight _head;
    private readonly Tensor _gain;
    private readonly RotaryTable _rotary;
    private readonly Tensor _residual;
    private readonly Tensor _normed;
    private readonly Tensor _qkvOut;
    private readonly Tensor _attended;
    private readonly Tensor _projected;
    private readonly Tensor _gateUpOut;
    private readonly Tensor _gated;
    private readonly Tensor _logits;
    private long _weightBytes;

    private LlamaSteps(int threads)
    {
        _backend = new CpuBackend(threads);
        for (int i = 0; i < Layers; i++)
        {
            _qkv[i] = NewWeight(QkvColumns, Hidden);
            _attentionOutput[i] = NewWeight(Hidden, Heads * HeadDim);
            _gateUp[i] = NewWeight(2 * Intermediate, Hidden);
            _down[i] = NewWeight(Hidden, Intermediate);
            _cache[i] = _backend.AllocateKvLayer(MaxSequences * MaxContext / BlockSize, BlockSize, KvHeads, HeadDim, HeadDim, DType.Float32);
        }

        _head = NewWeight(Vocabulary, Hidden);
        long read = _weightBytes;
        _embedding = NewWeight(Vocabulary, Hidden);
        _weightBytes = read;
        _gain = Filled(1, Hidden);
        _rotary = new RotaryTable(Filled(MaxContext, HeadDim / 2), Filled(MaxContext, HeadDim / 2), HeadDim);
        _residual = Filled(MaxTokens, Hidden);
        _normed = Filled(MaxTokens, Hidden);
        _qkvOut = Filled(MaxTokens, QkvColumns);
        _attended = Filled(MaxTokens, Heads * HeadDim);
        _projected = Filled(MaxTokens, Hidden);
        _gateUpOut = Filled(MaxTokens, 2 * Intermediate);
        _gated = Filled(MaxTokens, Intermediate);
        _logits = Filled(MaxSequences, Vocabulary);
    }

    public static void Run()
    {
        using MachineMeasurement machine = new();
        using LlamaSteps model = new(machine.Threads);
        Console.WriteLine($"{machine.Threads} threads, {MachineMeasurement.Vectors}");
        for (int round = 0; round < 3; round++)
        {
            double one = model.Report(machine, sequences: 1, tokens: 1, context: 128, repetitions: 8);
            double eight = model.Report(machine, sequences: 8, tokens: 1, context: 128, repetitions: 4);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  batch 8 gives {8 * one / eight:0.00} times the tokens of batch 1"));
            model.Report(machine, sequences: 1, tokens: 1, context: 1000, repetitions: 8);
            model.Report(machine, sequences: 1, tokens: 512, context: 512, repetitions: 1);
        }
    }

    public void Dispose() => _backend.Dispose();

    private double Report(MachineMeasurement machine, int sequences, int tokens, int context, int repetitions)
    {
        AttentionPlan plan = NewPlan(sequences, tokens, context);
        Tensor ids = _backend.Allocate(1, plan.TokenCount, DType.Int32);
        Tensor last = _backend.Allocate(1, sequences, DType.Int32);
        _backend.Upload<int>(last, [.. Enumerable.Range(1, sequences).Select(s => (s * tokens) - 1)]);
        Step(plan, ids, last);
        double read = machine.MeasureReadBandwidth(1);
        double peak = machine.MeasureFmaPeak(1);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repetitions; i++)
        {
            Step(plan, ids, last);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds / repetitions;
        read = Math.Max(read, machine.MeasureReadBandwidth(1));
        peak = Math.Max(peak, machine.MeasureFmaPeak(1));
        double layerWeights = (_weightBytes / 2.0) - ((double)Vocabulary * Hidden);
        double operations = (2 * layerWeights * plan.TokenCount) + (2.0 * Vocabulary * Hidden * sequences);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{sequences} x {tokens,3} tokens, context {context,4}: {seconds * 1e3,8:0.0} ms {plan.TokenCount / seconds,7:0.0} tok/s   {_weightBytes / seconds / 1e9,5:0.0} of {read / 1e9:0.0} GB/s = {_weightBytes / seconds / read,4:P0}   {operations / seconds / 1e9,5:0} of {peak / 1e9:0} GFLOP/s = {operations / seconds / peak,4:P0}"));
        return seconds;
    }

    private void Step(AttentionPlan plan, Tensor ids, Tensor last)
    {
        int rows = plan.TokenCount;
        Tensor residual = _residual.SliceRows(0, rows);
        Tensor normed = _normed.SliceRows(0, rows);
        Tensor qkv = _qkvOut.SliceRows(0, rows);
        Tensor attended = _attended.SliceRows(0, rows);
        Tensor projected = _projected.SliceRows(0, rows);
        Tensor gateUp = _gateUpOut.SliceRows(0, rows);
        Tensor gated = _gated.SliceRows(0, rows);
        AttentionShape shape = new(Heads, KvHeads, HeadDim, 0.125f, 0, 0);
        _backend.Embedding(residual, _embedding, ids, 1);
        for (int i = 0; i < Layers; i++)
        {
            if (i == 0)
            {
                _backend.RmsNorm(normed, residual, _gain, 1e-5f, 0);
            }
            else
            {
                _backend.AddRmsNorm(normed, residual, projected, _gain, 1e-5f, 0);
            }

            _backend.Linear(qkv, normed, _qkv[i], null);
            Tensor queries = qkv.SliceColumns(0, Heads * HeadDim);
            Tensor keys = qkv.SliceColumns(Heads * HeadDim, KvHeads * HeadDim);
            Tensor values = qkv.SliceColumns((Heads + KvHeads) * HeadDim, KvHeads * HeadDim);
            _backend.RotateAndWriteKv(queries, keys, values, plan.Positions, _rotary, _cache[i], plan.Slots);
            _backend.PagedAttention(attended, queries, _cache[i], plan, shape);
            _backend.Linear(projected, attended, _attentionOutput[i], null);
            _backend.AddRmsNorm(normed, residual, projected, _gain, 1e-5f, 0);
            _backend.Linear(gateUp, normed, _gateUp[i], null);
            _backend.GatedActivation(gated, gateUp, Activation.Silu);
            _backend.Linear(projected, gated, _down[i], null);
        }

        Tensor chosen = _normed.SliceRows(0, last.Columns);
        _backend.Add(residual, projected);
        _backend.GatherRows(chosen, residual, last);
        _backend.RmsNorm(chosen, chosen, _gain, 1e-5f, 0);
        _backend.Linear(_logits.SliceRows(0, last.Columns), chosen, _head, null);
    }

    private AttentionPlan NewPlan(int sequences, int tokens, int context)
    {
        int blocks = MaxContext / BlockSize;
        int[] starts = [.. Enumerable.Range(0, sequences + 1).Select(s => s * tokens)];
        int[] positions = [.. Enumerable.Range(0, sequences * tokens).Select(t => context - tokens + (t % tokens))];
        int[] slots = [.. positions.Select((position, row) => (row / tokens * MaxContext) + position)];
        return new AttentionPlan(
            Integers(1, starts),
            Integers(1, [.. Enumerable.Repeat(context, sequences)]),
            Integers(sequences, [.. Enumerable.Range(0, sequences * blocks)]),
            Integers(1, positions),
            Integers(1, slots),
            sequences,
            sequences * tokens,
            tokens,
            context);
    }

    private Tensor Integers(int rows, int[] values)
    {
        Tensor tensor = _backend.Allocate(rows, values.Length / rows, DType.Int32);
        _backend.Upload<int>(tensor, values);
        return tensor;
    }

    private Tensor Filled(int rows, int columns)
    {
        Tensor tensor = _backend.Allocate(rows, columns, DType.Float32);
        _backend.Upload<float>(tensor, [.. Enumerable.Range(0, rows * columns).Select(i => ((i * 7 % 31) - 15) / 16f)]);
        return tensor;
    }

    private Weight NewWeight(int rows, int columns)
    {
        Weight weight = _backend.AllocateWeight(rows, columns, DType.BFloat16);
        MadeUp.Fill(_backend, weight);
        _weightBytes += weight.SizeBytes;
        return weight;
    }
}
