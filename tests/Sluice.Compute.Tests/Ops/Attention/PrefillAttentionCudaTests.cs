using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;
using Sluice.Compute.Ops.Attention;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>
/// The kernels of many query rows by themselves: the generic one, which --batch-invariant uses for everything, and on compute capability
/// 9.0 the one of warpgroups. Unused slots of the cache are NaN, so is the output before.
/// </summary>
[Collection(Gpu.Collection)]
public sealed class PrefillAttentionCudaTests
{
    // Norm of the error over the norm of the result. Weights are rounded to 8 significant bits before they meet the values, the result
    // once more: 1.7e-3 to 2.3e-3 measured on an H100; with 11 bits 2.7e-4.
    private const double BFloat16Tolerance = 4e-3;
    private const double Float16Tolerance = 6e-4;

    private static readonly int[] Contexts = [5, 300, 200, 64, 1, 700, 1000, 65, 129];
    private static readonly int[] Queries = [5, 1, 200, 64, 1, 130, 17, 1, 63];

    public static TheoryData<AttentionCase, bool> Cases()
    {
        AttentionCase plain = new()
        {
            Heads = 8, KvHeads = 2, KeyDim = 128, ValueDim = 128, Contexts = Contexts, Queries = Queries, Type = DType.BFloat16,
        };
        AttentionCase[] both =
        [
            plain,
            plain with { Contexts = [8191], Queries = [40], Heads = 4, KvHeads = 1 },
            plain with { Contexts = [32], Queries = [32] },
            plain with { Type = DType.Float16, KeyDim = 64, ValueDim = 64, Window = 100, Sinks = true, BlockSize = 32, KvHeads = 1 },
            plain with { KeyDim = 256, ValueDim = 256, Heads = 4, Window = 133, SoftCap = 30 },
            plain with { Heads = 28, KvHeads = 4, Window = 300, BlockSize = 48 },
            plain with { Heads = 5, KvHeads = 5 },
            plain with { Heads = 10, KeyDim = 64, ValueDim = 64, SoftCap = 20, Type = DType.Float16 },
        ];
        AttentionCase[] generic =
        [
            plain with { KeyDim = 80, ValueDim = 80, Heads = 5, KvHeads = 5 },
            plain with { KeyDim = 8, ValueDim = 8, Heads = 1, KvHeads = 1, Type = DType.Float16 },
            plain with { KeyDim = 12, ValueDim = 9, Heads = 15, KvHeads = 3, Window = 50, Sinks = true },
            plain with { KeyDim = 192, ValueDim = 128, Heads = 16, KvHeads = 1 },
            plain with { KeyDim = 96, ValueDim = 96, Heads = 3, KvHeads = 3, Window = 70 },
        ];
        TheoryData<AttentionCase, bool> data = [];
        foreach (AttentionCase attention in both)
        {
            data.Add(attention, false);
            data.Add(attention, true);
        }

        foreach (AttentionCase attention in generic)
        {
            data.Add(attention, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_AnyCase_IsSoftmaxAttention(AttentionCase attention, bool batchInvariant)
    {
        using Batch batch = new(attention, attention.Type, batchInvariant);

        float[] actual = batch.Run();

        double tolerance = attention.Type == DType.Float16 ? Float16Tolerance : BFloat16Tolerance;
        Assert.InRange(batch.RelativeError(actual), 0, tolerance);
    }

    [Theory]
    [InlineData(128, 4, 2, 0)]
    [InlineData(64, 8, 1, 100)]
    [InlineData(256, 2, 1, 64)]
    [InlineData(40, 3, 3, 0)]
    public void Run_Float8Cache_IsSoftmaxAttention(int headDim, int heads, int kvHeads, int window)
    {
        AttentionCase attention = new()
        {
            Heads = heads, KvHeads = kvHeads, KeyDim = headDim, ValueDim = headDim, Contexts = Contexts, Queries = Queries, Window = window,
            Type = DType.Float8E4M3,
        };
        using Batch batch = new(attention, DType.BFloat16, batchInvariant: false);

        Assert.InRange(batch.RelativeError(batch.Run()), 0, BFloat16Tolerance);
    }

    [Fact]
    public void Run_SequencesOfFewRows_AreLeftAlone()
    {
        AttentionCase attention = new()
        {
            Heads = 4, KvHeads = 2, KeyDim = 64, ValueDim = 64, Contexts = Contexts, Queries = Queries, Type = DType.BFloat16,
        };
        foreach (bool batchInvariant in new[] { false, true })
        {
            using Batch batch = new(attention, DType.BFloat16, batchInvariant);
            float[] all = batch.Run();
            float[] some = batch.Run(decodeRows: 5);

            int row = 0;
            foreach (int count in Queries)
            {
                for (int last = row + count; row < last; row++)
                {
                    for (int i = 0; i < 4 * 64; i++)
                    {
                        float expected = count <= 5 ? float.NaN : all[(row * 4 * 64) + i];
                        Assert.Equal(expected, some[(row * 4 * 64) + i]);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(128, 8, 2, 0, DType.BFloat16)]
    [InlineData(64, 8, 1, 100, DType.Float16)]
    [InlineData(80, 5, 5, 0, DType.BFloat16)]
    [InlineData(128, 8, 2, 0, DType.Float8E4M3)]
    public void Run_BatchInvariant_GivesEverySequenceItsBitsInAnyChunks(int headDim, int heads, int kvHeads, int window, DType cacheType)
    {
        AttentionCase attention = new()
        {
            Heads = heads, KvHeads = kvHeads, KeyDim = headDim, ValueDim = headDim, Contexts = Contexts, Queries = Queries, Window = window,
            Sinks = window > 0, Type = cacheType,
        };
        using Batch batch = new(attention, cacheType == DType.Float16 ? DType.Float16 : DType.BFloat16, batchInvariant: true);
        float[] expected = batch.Run();

        foreach (int step in new[] { 1, 17, 64, 100 })
        {
            int row = 0;
            for (int sequence = 0; sequence < Contexts.Length; sequence++)
            {
                for (int start = 0; start < Queries[sequence]; start += step)
                {
                    int count = Math.Min(step, Queries[sequence] - start);
                    float[] actual = batch.RunRows(sequence, start, count);
                    Assert.Equal(expected[(row * heads * headDim)..][..actual.Length], actual);
                    row += count;
                }
            }
        }
    }

    /// <summary>Sequences in a cache of scattered blocks on the GPU, and what they hold on the host.</summary>
    private sealed class Batch : IDisposable
    {
        private readonly AttentionCase _case;
        private readonly CudaBackend _backend;
        private readonly KvLayer _layer;
        private readonly AttentionShape _shape;
        private readonly Tensor _queries;
        private readonly Tensor _output;
        private readonly Tensor _tables;
        private readonly float[] _queryValues;
        private readonly float[] _sinks;
        private readonly float[][] _keys;
        private readonly float[][] _values;

        public Batch(AttentionCase attention, DType activationType, bool batchInvariant)
        {
            _case = attention;
            _backend = Gpu.Open(activationType, batchInvariant);
            Random random = new(attention.KeyDim + attention.Heads);
            int blockCount = attention.Contexts.Sum(BlocksOf) + 3;
            int[] order = [.. Enumerable.Range(0, blockCount)];
            random.Shuffle(order);
            _layer = _backend.AllocateKvLayer(
                blockCount, attention.BlockSize, attention.KvHeads, attention.KeyDim, attention.ValueDim, attention.Type);
            _keys = [.. attention.Contexts.Select(context => Values(random, context * attention.KvHeads * attention.KeyDim, attention.Type))];
            _values = [.. attention.Contexts.Select(context => Values(random, context * attention.KvHeads * attention.ValueDim, attention.Type))];

            int widest = attention.Contexts.Max(BlocksOf);
            int[] tables = new int[attention.Contexts.Length * widest];
            int used = 0;
            for (int s = 0; s < attention.Contexts.Length; s++)
            {
                for (int block = 0; block < BlocksOf(attention.Contexts[s]); block++)
                {
                    tables[(s * widest) + block] = order[used++];
                }
            }

            FillCache(_layer.Keys, _keys, attention.KeyDim, tables, widest);
            FillCache(_layer.Values, _values, attention.ValueDim, tables, widest);
            _tables = Integers(tables, attention.Contexts.Length);
            _queryValues = Values(random, attention.Queries.Sum() * attention.Heads * attention.KeyDim, activationType);
            _queries = Gpu.Tensor(_backend, _queryValues, attention.Queries.Sum(), attention.Heads * attention.KeyDim, activationType);
            _output = _backend.Allocate(attention.Queries.Sum(), attention.Heads * attention.ValueDim, activationType);
            _sinks = Values(random, attention.Heads, DType.Float32);
            _shape = attention.Shape with
            {
                Sinks = attention.Sinks ? Gpu.Tensor(_backend, _sinks, 1, attention.Heads, DType.Float32) : default,
            };
        }

        /// <summary>The results of the whole batch.</summary>
        public float[] Run(int decodeRows = 0)
        {
            int[] starts = [0, .. _case.Queries.Select((_, i) => _case.Queries[..(i + 1)].Sum())];
            return Run(_output, _queries, PlanOf(starts, _case.Contexts, _tables), decodeRows);
        }

        /// <summary>The results of some rows of one sequence, alone.</summary>
        public float[] RunRows(int sequence, int start, int count)
        {
            int row = _case.Queries[..sequence].Sum() + start;
            int context = _case.Contexts[sequence] - _case.Queries[sequence] + start + count;
            return Run(
                _output.SliceRows(row, count), _queries.SliceRows(row, count), PlanOf([0, count], [context], _tables.SliceRows(sequence, 1)), 0);
        }

        /// <summary>||actual - expected|| / ||expected|| with attention by its definition in double precision.</summary>
        public double RelativeError(float[] actual)
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
                        int column = (row * _case.Heads) + head;
                        Attend(expected, s, position, head, _queryValues.AsSpan(column * _case.KeyDim, _case.KeyDim));
                        for (int i = 0; i < expected.Length; i++)
                        {
                            double difference = actual[(column * _case.ValueDim) + i] - expected[i];
                            error += difference * difference;
                            norm += expected[i] * expected[i];
                        }
                    }
                }
            }

            return Math.Sqrt(error / norm);
        }

        public void Dispose() => _backend.Dispose();

        private float[] Run(Tensor output, Tensor queries, AttentionPlan plan, int decodeRows)
        {
            Gpu.Poison(_backend, output);
            PrefillAttentionCuda.Run(_backend.Context, output, queries, _layer, plan, _shape, decodeRows);
            return Gpu.Read(_backend, output);
        }

        private void Attend(double[] result, int sequence, int position, int head, ReadOnlySpan<float> query)
        {
            int kvHead = head / (_case.Heads / _case.KvHeads);
            int first = _case.Window > 0 ? Math.Max(0, position - _case.Window + 1) : 0;
            double[] scores = new double[position + 1 - first];
            for (int token = first; token <= position; token++)
            {
                double score = 0;
                ReadOnlySpan<float> key = _keys[sequence].AsSpan(((token * _case.KvHeads) + kvHead) * _case.KeyDim, _case.KeyDim);
                for (int i = 0; i < key.Length; i++)
                {
                    score += (double)query[i] * key[i];
                }

                score *= _shape.Scale;
                scores[token - first] = _case.SoftCap > 0 ? _case.SoftCap * Math.Tanh(score / _case.SoftCap) : score;
            }

            double maximum = scores.Max();
            double sum = _case.Sinks ? Math.Exp(_sinks[head] - maximum) : 0;
            Array.Clear(result);
            for (int i = 0; i < scores.Length; i++)
            {
                double weight = Math.Exp(scores[i] - maximum);
                sum += weight;
                ReadOnlySpan<float> value = _values[sequence].AsSpan((((first + i) * _case.KvHeads) + kvHead) * _case.ValueDim, _case.ValueDim);
                for (int column = 0; column < value.Length; column++)
                {
                    result[column] += weight * value[column];
                }
            }

            for (int i = 0; i < result.Length; i++)
            {
                result[i] /= sum;
            }
        }

        private AttentionPlan PlanOf(int[] starts, int[] contexts, Tensor tables) => new(
            Integers(starts, 1), Integers(contexts, 1), tables, default, default, contexts.Length, starts[^1],
            starts.Zip(starts.Skip(1), (start, end) => end - start).Max(), contexts.Max());

        /// <summary>Every slot that no sequence uses is NaN.</summary>
        private void FillCache(nint address, float[][] sequences, int dim, int[] tables, int tableStride)
        {
            int size = _case.Type.SizeBytes();
            byte[] bytes = new byte[(long)_layer.BlockCount * _layer.BlockSize * _layer.Heads * dim * size];
            Array.Fill(bytes, (byte)0xFF);
            for (int s = 0; s < sequences.Length; s++)
            {
                for (int token = 0; token < _case.Contexts[s]; token++)
                {
                    for (int head = 0; head < _layer.Heads; head++)
                    {
                        long block = tables[(s * tableStride) + (token / _layer.BlockSize)];
                        long target = ((((block * _layer.Heads) + head) * _layer.BlockSize) + (token % _layer.BlockSize)) * dim;
                        Store(bytes.AsSpan((int)(target * size)), sequences[s].AsSpan(((token * _layer.Heads) + head) * dim, dim), _case.Type);
                    }
                }
            }

            _backend.Upload<byte>(new Tensor(address, DType.Float8E4M3, 1, bytes.Length), bytes);
        }

        private static void Store(Span<byte> target, ReadOnlySpan<float> values, DType type)
        {
            for (int i = 0; i < values.Length; i++)
            {
                switch (type)
                {
                    case DType.BFloat16:
                        MemoryMarshal.Cast<byte, BFloat16>(target)[i] = (BFloat16)values[i];
                        break;
                    case DType.Float16:
                        MemoryMarshal.Cast<byte, Half>(target)[i] = (Half)values[i];
                        break;
                    default:
                        target[i] = Float8Bits(values[i]);
                        break;
                }
            }
        }

        /// <summary>Values that the type holds exactly.</summary>
        private static float[] Values(Random random, int count, DType type)
        {
            float[] values = new float[count];
            for (int i = 0; i < count; i++)
            {
                float value = ((random.NextSingle() * 2) - 1) * 2;
                values[i] = type switch
                {
                    DType.BFloat16 => (float)(BFloat16)value,
                    DType.Float16 => (float)(Half)value,
                    DType.Float8E4M3 => Float8(value),
                    _ => value,
                };
            }

            return values;
        }

        /// <summary>Cut to four significant bits, nothing below 2^-6: a normal number of E4M3.</summary>
        private static float Float8(float value)
        {
            float cut = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) & unchecked((int)0xFFF00000));
            return MathF.Abs(cut) < 1 / 64f ? 1 / 64f : cut;
        }

        private static byte Float8Bits(float value)
        {
            int bits = BitConverter.SingleToInt32Bits(value);
            int exponent = ((bits >> 23) & 0xFF) - 127 + 7;
            return (byte)(((bits >> 24) & 0x80) | (exponent << 3) | ((bits >> 20) & 7));
        }

        private Tensor Integers(int[] values, int rows)
        {
            Tensor tensor = _backend.Allocate(rows, values.Length / rows, DType.Int32);
            _backend.Upload<int>(tensor, values);
            return tensor;
        }

        private int BlocksOf(int tokens) => (tokens + _case.BlockSize - 1) / _case.BlockSize;
    }
}
