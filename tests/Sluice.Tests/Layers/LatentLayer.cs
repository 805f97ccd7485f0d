using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Layers;

namespace Sluice.Tests.Layers;

/// <summary>
/// A layer of latent attention with random weights, computed in three ways: as the product does it, with keys and values of heads made
/// from the latents and cached (the form that a long prompt takes on other engines), and in double precision from the definition.
/// </summary>
internal sealed class LatentLayer : IDisposable
{
    private const int BlockSize = 16;
    private const int MaxRows = 4096;
    private const float Epsilon = 1e-6f;

    private readonly CpuBackend _backend = new(2);
    private readonly Random _random = new(17);
    private readonly LatentShape _shape;
    private readonly int _context;
    private readonly float[] _input;
    private readonly float[] _queryDown;
    private readonly float[] _query;
    private readonly float[] _latent;
    private readonly float[] _keyValue;
    private readonly float[] _output;
    private readonly float[] _cosines;
    private readonly float[] _sines;
    private readonly RotaryTable _rotary;
    private readonly Tensor _inputRows;

    public LatentLayer(LatentShape shape, int context)
    {
        _shape = shape;
        _context = context;
        _input = Values(context * shape.Hidden, 1);
        _queryDown = Matrix(shape.QueryRank, shape.Hidden);
        _query = Matrix(shape.Heads * shape.QueryDim, shape.QueryRank > 0 ? shape.QueryRank : shape.Hidden);
        _latent = Matrix(shape.CachedDim, shape.Hidden);
        _keyValue = Matrix(shape.Heads * (shape.PlainDim + shape.ValueDim), shape.KvRank);
        _output = Matrix(shape.Hidden, shape.Heads * shape.ValueDim);
        int half = shape.RotaryDim / 2;
        _cosines = new float[context * half];
        _sines = new float[context * half];
        for (int i = 0; i < _cosines.Length; i++)
        {
            (double sine, double cosine) = Math.SinCos(i / half * Math.Pow(1e4, -(double)(i % half) / half));
            (_sines[i], _cosines[i]) = ((float)sine, (float)cosine);
        }

        _rotary = new RotaryTable(Upload(context, half, _cosines), Upload(context, half, _sines), shape.RotaryDim) { IsInterleaved = true };
        _inputRows = Upload(context, shape.Hidden, _input);
    }

    /// <summary>The result of all tokens in chunks: [context, hidden].</summary>
    public float[] Absorbed(int chunk)
    {
        LatentShape s = _shape;
        var keys = new float[s.Heads * s.KvRank * s.PlainDim];
        var values = new float[s.Heads * s.ValueDim * s.KvRank];
        for (int head = 0; head < s.Heads; head++)
        {
            ReadOnlySpan<float> part = _keyValue.AsSpan(head * (s.PlainDim + s.ValueDim) * s.KvRank, (s.PlainDim + s.ValueDim) * s.KvRank);
            for (int i = 0; i < s.PlainDim * s.KvRank; i++)
            {
                keys[(((head * s.KvRank) + (i % s.KvRank)) * s.PlainDim) + (i / s.KvRank)] = part[i];
            }

            part[(s.PlainDim * s.KvRank)..].CopyTo(values.AsSpan(head * s.ValueDim * s.KvRank));
        }

        var layer = new MlaAttention(
            Linear(s.Heads * s.QueryDim, _query),
            Linear(s.CachedDim, _latent),
            Norm(s.KvRank),
            Weight(s.Heads * s.KvRank, keys),
            Weight(s.Heads * s.ValueDim, values),
            Linear(s.Hidden, _output),
            _rotary with { FirstElement = s.KvRank },
            new AttentionShape(s.Heads, 1, s.CachedDim, s.Scale, 0, 0))
        {
            QueryLatent = s.QueryRank > 0 ? Linear(s.QueryRank, _queryDown) : null,
            QueryNorm = s.QueryRank > 0 ? Norm(s.QueryRank) : null,
        };
        DecoderBuffers buffers = Buffers() with
        {
            Latent = new LatentBuffers(
                s.QueryRank > 0 ? Activations(s.QueryRank) : null,
                Activations(s.CachedDim),
                Activations(s.Heads * s.CachedDim),
                Activations(s.Heads * s.KvRank)),
        };
        KvLayer cache = _backend.AllocateKvLayer(Blocks, BlockSize, 1, s.CachedDim, s.KvRank, DType.Float32, valuesInKeys: true);
        return Run(chunk, (start, plan) =>
        {
            DecoderBuffers step = buffers.Slice(plan.TokenCount);
            layer.Forward(_backend, step, _inputRows.SliceRows(start, plan.TokenCount), cache, plan);
            return step.Projected;
        });
    }

    /// <summary>The same with the keys and values of each head in the cache.</summary>
    public float[] UpProjected(int chunk)
    {
        LatentShape s = _shape;
        Linear? queryDown = s.QueryRank > 0 ? Linear(s.QueryRank, _queryDown) : null;
        Linear query = Linear(s.Heads * s.QueryDim, _query);
        Linear latent = Linear(s.CachedDim, _latent);
        Linear keyValue = Linear(s.Heads * (s.PlainDim + s.ValueDim), _keyValue);
        Linear output = Linear(s.Hidden, _output);
        DecoderBuffers buffers = Buffers();
        Tensor queryLatent = Activations(Math.Max(s.QueryRank, 1));
        Tensor latents = Activations(s.CachedDim);
        Tensor expanded = Activations(s.Heads * (s.PlainDim + s.ValueDim));
        Tensor keys = Activations(s.Heads * s.QueryDim);
        Tensor values = Activations(s.Heads * s.ValueDim);
        KvLayer cache = _backend.AllocateKvLayer(Blocks, BlockSize, s.Heads, s.QueryDim, s.ValueDim, DType.Float32);
        return Run(chunk, (start, plan) =>
        {
            int count = plan.TokenCount;
            DecoderBuffers step = buffers.Slice(count);
            Tensor input = _inputRows.SliceRows(start, count);
            Tensor queryInput = input;
            if (queryDown is not null)
            {
                queryInput = queryLatent.SliceRows(0, count);
                queryDown.Forward(_backend, queryInput, input);
                Norm(s.QueryRank).Forward(_backend, queryInput, queryInput);
            }

            query.Forward(_backend, step.QueryKeyValue, queryInput);
            Tensor rows = latents.SliceRows(0, count);
            latent.Forward(_backend, rows, input);
            Tensor normed = rows.SliceColumns(0, s.KvRank);
            Norm(s.KvRank).Forward(_backend, normed, normed);
            keyValue.Forward(_backend, expanded.SliceRows(0, count), normed);
            Spread(rows, expanded.SliceRows(0, count), keys.SliceRows(0, count), values.SliceRows(0, count));
            _backend.RotateAndWriteKv(
                step.QueryKeyValue, keys.SliceRows(0, count), values.SliceRows(0, count), plan.Positions, _rotary with { FirstElement = s.PlainDim },
                cache, plan.Slots);
            _backend.PagedAttention(step.Attended, step.QueryKeyValue, cache, plan, new AttentionShape(s.Heads, s.Heads, s.QueryDim, s.Scale, 0, 0));
            output.Forward(_backend, step.Projected, step.Attended);
            return step.Projected;
        });
    }

    /// <summary>The results of some tokens in double precision, from the definition.</summary>
    public double[][] Exact(int[] positions)
    {
        LatentShape s = _shape;
        var latents = new double[_context][];
        var turned = new double[_context][];
        for (int token = 0; token < _context; token++)
        {
            double[] row = Multiply(_latent, InputOf(token), s.CachedDim);
            latents[token] = Normed(row[..s.KvRank]);
            turned[token] = row[s.KvRank..];
            Turn(turned[token], token);
        }

        return [.. positions.Select(position => ExactRow(position, latents, turned))];
    }

    public void Dispose() => _backend.Dispose();

    private int Blocks => (_context + BlockSize - 1) / BlockSize;

    private double[] ExactRow(int position, double[][] latents, double[][] turned)
    {
        LatentShape s = _shape;
        double[] queryInput = InputOf(position);
        queryInput = s.QueryRank > 0 ? Normed(Multiply(_queryDown, queryInput, s.QueryRank)) : queryInput;
        double[] queries = Multiply(_query, queryInput, s.Heads * s.QueryDim);
        var attended = new double[s.Heads * s.ValueDim];
        for (int head = 0; head < s.Heads; head++)
        {
            double[] plain = queries[(head * s.QueryDim)..((head * s.QueryDim) + s.PlainDim)];
            double[] rotated = queries[((head * s.QueryDim) + s.PlainDim)..((head + 1) * s.QueryDim)];
            Turn(rotated, position);
            float[] matrix = _keyValue[(head * (s.PlainDim + s.ValueDim) * s.KvRank)..((head + 1) * (s.PlainDim + s.ValueDim) * s.KvRank)];
            var scores = new double[position + 1];
            var keyValues = new double[position + 1][];
            for (int token = 0; token <= position; token++)
            {
                keyValues[token] = Multiply(matrix, latents[token], s.PlainDim + s.ValueDim);
                scores[token] = s.Scale * (Dot(plain, keyValues[token]) + Dot(rotated, turned[token]));
            }

            double largest = scores.Max();
            double sum = scores.Sum(score => Math.Exp(score - largest));
            for (int token = 0; token <= position; token++)
            {
                double weight = Math.Exp(scores[token] - largest) / sum;
                for (int i = 0; i < s.ValueDim; i++)
                {
                    attended[(head * s.ValueDim) + i] += weight * keyValues[token][s.PlainDim + i];
                }
            }
        }

        return Multiply(_output, attended, s.Hidden);
    }

    // A head's keys are its plain part and the rotated part that all share.
    private unsafe void Spread(Tensor latents, Tensor expanded, Tensor keys, Tensor values)
    {
        LatentShape s = _shape;
        for (int row = 0; row < latents.Rows; row++)
        {
            var shared = new ReadOnlySpan<float>((float*)latents.Address + ((long)row * latents.RowStride) + s.KvRank, s.RotaryDim);
            for (int head = 0; head < s.Heads; head++)
            {
                float* source = (float*)expanded.Address + ((long)row * expanded.RowStride) + (head * (s.PlainDim + s.ValueDim));
                var key = new Span<float>((float*)keys.Address + ((long)row * keys.RowStride) + (head * s.QueryDim), s.QueryDim);
                new ReadOnlySpan<float>(source, s.PlainDim).CopyTo(key);
                shared.CopyTo(key[s.PlainDim..]);
                new ReadOnlySpan<float>(source + s.PlainDim, s.ValueDim)
                    .CopyTo(new Span<float>((float*)values.Address + ((long)row * values.RowStride) + (head * s.ValueDim), s.ValueDim));
            }
        }
    }

    private float[] Run(int chunk, Func<int, AttentionPlan, Tensor> step)
    {
        var results = new float[_context * _shape.Hidden];
        int[] order = [.. Enumerable.Range(0, Blocks)];
        new Random(3).Shuffle(order);
        Tensor blocks = Integers(order);
        for (int start = 0; start < _context; start += chunk)
        {
            int count = Math.Min(chunk, _context - start);
            int[] positions = [.. Enumerable.Range(start, count)];
            Tensor[] integers =
            [
                Integers(0, count),
                Integers(start + count),
                Integers(positions),
                Integers([.. positions.Select(position => (order[position / BlockSize] * BlockSize) + (position % BlockSize))]),
            ];
            Tensor rows = step(start, new AttentionPlan(
                integers[0], integers[1], blocks, integers[2], integers[3], 1, count, count, start + count));
            _backend.Download(rows, results.AsSpan(start * _shape.Hidden, count * _shape.Hidden));
            Array.ForEach(integers, _backend.Free);
        }

        return results;
    }

    private double[] InputOf(int token) => [.. _input[(token * _shape.Hidden)..((token + 1) * _shape.Hidden)].Select(static value => (double)value)];

    private static double[] Normed(double[] values)
    {
        double factor = 1 / Math.Sqrt(values.Average(static value => value * value) + Epsilon);
        return [.. values.Select(value => value * factor)];
    }

    private void Turn(double[] values, int position)
    {
        int half = values.Length / 2;
        for (int i = 0; i < half; i++)
        {
            (double cosine, double sine) = (_cosines[(position * half) + i], _sines[(position * half) + i]);
            (double x, double y) = (values[2 * i], values[(2 * i) + 1]);
            (values[2 * i], values[(2 * i) + 1]) = ((x * cosine) - (y * sine), (y * cosine) + (x * sine));
        }
    }

    private static double[] Multiply(float[] matrix, double[] vector, int rows)
    {
        var result = new double[rows];
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> line = matrix.AsSpan(row * vector.Length, vector.Length);
            double sum = 0;
            for (int i = 0; i < vector.Length; i++)
            {
                sum += line[i] * vector[i];
            }

            result[row] = sum;
        }

        return result;
    }

    private static double Dot(double[] first, double[] second)
    {
        double sum = 0;
        for (int i = 0; i < first.Length; i++)
        {
            sum += first[i] * second[i];
        }

        return sum;
    }

    // Attention uses none of the others.
    private DecoderBuffers Buffers()
    {
        Tensor unused = Activations(1);
        return new DecoderBuffers(
            unused,
            unused,
            Projected: Activations(_shape.Hidden),
            QueryKeyValue: Activations(_shape.Heads * _shape.QueryDim),
            Attended: Activations(_shape.Heads * _shape.ValueDim),
            unused,
            unused);
    }

    private Tensor Activations(int columns) => _backend.Allocate(MaxRows, columns, DType.Float32);

    private Linear Linear(int rows, float[] values) => new(Weight(rows, values), null);

    private Norm Norm(int width) => new(Upload(1, width, [.. Enumerable.Repeat(1f, width)]), Epsilon, 0);

    private Weight Weight(int rows, float[] values)
    {
        Weight weight = _backend.AllocateWeight(rows, values.Length / rows, DType.Float32);
        _backend.UploadRows(weight, 0, MemoryMarshal.AsBytes<float>(values), DType.Float32);
        return weight;
    }

    private Tensor Upload(int rows, int columns, float[] values)
    {
        Tensor tensor = _backend.Allocate(rows, columns, DType.Float32);
        _backend.Upload<float>(tensor, values);
        return tensor;
    }

    private Tensor Integers(params int[] values)
    {
        Tensor tensor = _backend.Allocate(1, values.Length, DType.Int32);
        _backend.Upload<int>(tensor, values);
        return tensor;
    }

    // Activations of a size that gives scores of a few units, so that the softmax has something to choose.
    private float[] Matrix(int rows, int columns) => Values(rows * columns, MathF.Sqrt(6f / columns));

    private float[] Values(int count, float scale)
    {
        var values = new float[count];
        foreach (ref float value in values.AsSpan())
        {
            value = ((_random.NextSingle() * 2) - 1) * scale;
        }

        return values;
    }
}

/// <summary>The dimensions of a layer of latent attention.</summary>
public sealed record LatentShape(int Hidden, int Heads, int QueryRank, int KvRank, int PlainDim, int RotaryDim, int ValueDim)
{
    public int QueryDim => PlainDim + RotaryDim;

    public int CachedDim => KvRank + RotaryDim;

    public float Scale => 1 / MathF.Sqrt(QueryDim);
}
