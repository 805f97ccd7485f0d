using Sluice.Compute.Ops.Attention;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>Shapes of a test of rotation and cache write.</summary>
public sealed record RotateCase(int Tokens, int QueryHeads, int KvHeads, int KeyDim, int ValueDim, int RotaryDim)
{
    /// <summary>Elements between rows.</summary>
    public int Gap { get; init; } = 8;

    public int BlockSize { get; init; } = 16;

    public bool Float8 { get; init; }

    public bool Norms { get; init; }

    /// <summary>Heads are normed by an operation of its own, which rounds: where they cannot be read in vectors, or are very wide.</summary>
    public bool RoundsNorms { get; init; }
}

[Collection(Gpu.Collection)]
public sealed unsafe class RotateAndWriteKvFormTests
{
    private const int Positions = 300;

    // Of the two products that a turned element is the sum of.
    private const double ProductTolerance = 3e-7;

    // Of them after a norm: a sum of squares and a root.
    private const double NormTolerance = 1e-5;

    private const float Epsilon = 1e-6f;
    private const float GainOffset = 1;

    public static TheoryData<Form, RotateCase> Cases()
    {
        RotateCase[] cases =
        [
            new(1, 32, 8, 64, 64, 64),
            new(1, 32, 8, 128, 128, 128),
            new(65, 64, 8, 128, 128, 128),
            new(33, 5, 5, 80, 80, 32),
            new(7, 4, 1, 256, 256, 256),
            new(9, 5, 1, 80, 80, 80),
            new(8, 24, 2, 128, 128, 64) { BlockSize = 32 },
            new(8191, 2, 1, 64, 64, 64),
            new(300, 16, 16, 96, 96, 96),
            new(4, 128, 8, 128, 128, 128),
            new(6, 3, 2, 64, 64, 0),
            new(5, 3, 1, 10, 7, 6) { Gap = 3 },
            new(5, 2, 2, 96, 64, 24),
            new(6, 8, 2, 64, 64, 64) { Gap = 1 },
            new(1, 16, 8, 128, 128, 128) { Norms = true },
            new(130, 32, 4, 128, 128, 64) { Norms = true },
            new(33, 5, 1, 80, 80, 32) { Norms = true },
            new(9, 8, 4, 256, 256, 256) { Norms = true },
            new(7, 6, 2, 96, 96, 96) { Norms = true },
            new(7, 3, 3, 72, 64, 16) { Norms = true },
            new(7, 6, 2, 64, 64, 0) { Norms = true },
            new(5, 3, 1, 10, 7, 6) { Gap = 3, Norms = true, RoundsNorms = true },
            new(2, 2, 1, 640, 640, 640) { Norms = true, RoundsNorms = true },
        ];
        TheoryData<Form, RotateCase> data = [];
        foreach (RotateCase shape in cases)
        {
            foreach (Form form in OpDevice.Forms)
            {
                data.Add(form, shape);
            }

            data.Add(Form.CudaBFloat16, shape with { Float8 = true });
            data.Add(Form.CudaFloat16, shape with { Float8 = true });
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void RotateAndWriteKv_AnyForm_IsTheDefinition(Form form, RotateCase shape)
    {
        using OpDevice device = OpDevice.Open(form);
        DType cacheType = shape.Float8 ? DType.Float8E4M3 : device.Type;
        int tokens = shape.Tokens;
        float[] queries = device.Random(tokens * shape.QueryHeads * shape.KeyDim, scale: 4);
        float[] keys = device.Random(tokens * shape.KvHeads * shape.KeyDim, scale: 4);
        float[] values = device.Random(tokens * shape.KvHeads * shape.ValueDim, scale: shape.Float8 ? 600 : 4);
        int half = Math.Max(shape.RotaryDim / 2, 1);
        float[] cosines = new float[Positions * half];
        float[] sines = new float[Positions * half];
        for (int i = 0; i < cosines.Length; i++)
        {
            (sines[i], cosines[i]) = MathF.SinCos(i * 0.37f);
        }

        float[] queryGains = device.Random(shape.KeyDim);
        float[] keyGains = device.Random(shape.KeyDim);
        int[] positions = [.. Enumerable.Range(0, tokens).Select(t => t * 7 % Positions)];
        int blocks = (tokens / shape.BlockSize) + 3;
        int[] order = [.. Enumerable.Range(0, blocks * shape.BlockSize)];
        new Random(3).Shuffle(order);
        Tensor queryTensor = device.Activations(queries, tokens, shape.Gap);
        Tensor keyTensor = device.Activations(keys, tokens, shape.Gap);
        Tensor valueTensor = device.Activations(values, tokens, shape.Gap);
        RotaryTable table = new(device.Floats(cosines, Positions), device.Floats(sines, Positions), shape.RotaryDim);
        KvLayer layer = device.Backend.AllocateKvLayer(blocks, shape.BlockSize, shape.KvHeads, shape.KeyDim, shape.ValueDim, cacheType);
        HeadNorms? norms = shape.Norms ? new HeadNorms(device.Floats(queryGains), device.Floats(keyGains), Epsilon, GainOffset) : null;
        (nint Address, byte[] Bytes) keyCache = (layer.Keys, Poison(device, layer, layer.Keys, layer.KeyDim));
        (nint Address, byte[] Bytes) valueCache = (layer.Values, Poison(device, layer, layer.Values, layer.ValueDim));

        if (form == Form.Reference)
        {
            RotateAndWriteKvReference.Run(
                queryTensor, keyTensor, valueTensor, device.Integers(positions), table, layer, device.Integers(order[..tokens]), norms);
        }
        else
        {
            device.Backend.RotateAndWriteKv(
                queryTensor, keyTensor, valueTensor, device.Integers(positions), table, layer, device.Integers(order[..tokens]), norms);
        }

        double[] normedQueries = Normed(queries, queryGains);
        double[] normedKeys = Normed(keys, keyGains);
        float[] turned = device.Read(queryTensor);
        for (int i = 0; i < turned.Length; i++)
        {
            (double expected, double tolerance) = Turned(normedQueries, i, shape.QueryHeads);
            device.AssertRounded(expected, turned[i], tolerance, i);
        }

        byte[] keyBytes = device.ReadBytes(keyCache.Address, keyCache.Bytes.Length);
        byte[] valueBytes = device.ReadBytes(valueCache.Address, valueCache.Bytes.Length);
        for (int token = 0; token < tokens; token++)
        {
            for (int head = 0; head < shape.KvHeads; head++)
            {
                for (int element = 0; element < shape.KeyDim; element++)
                {
                    int i = (((token * shape.KvHeads) + head) * shape.KeyDim) + element;
                    long at = Offset(layer, order[token], head, element, isKey: true);
                    (double expected, double tolerance) = Turned(normedKeys, i, shape.KvHeads);
                    AssertCached(expected, OpDevice.Widen(keyBytes.AsSpan((int)at), cacheType), tolerance, i);
                    keyBytes.AsSpan((int)at, cacheType.SizeBytes()).Fill(0xFF);
                }

                for (int element = 0; element < shape.ValueDim; element++)
                {
                    int i = (((token * shape.KvHeads) + head) * shape.ValueDim) + element;
                    long at = Offset(layer, order[token], head, element, isKey: false);
                    AssertCached(values[i], OpDevice.Widen(valueBytes.AsSpan((int)at), cacheType), 0, i);
                    valueBytes.AsSpan((int)at, cacheType.SizeBytes()).Fill(0xFF);
                }
            }
        }

        // Nothing but the slots was written.
        Assert.Equal(-1, keyBytes.AsSpan().IndexOfAnyExcept((byte)0xFF));
        Assert.Equal(-1, valueBytes.AsSpan().IndexOfAnyExcept((byte)0xFF));

        (double Expected, double Tolerance) Turned(double[] heads, int index, int headCount)
        {
            int element = index % shape.KeyDim;
            double normTolerance = shape.RoundsNorms ? device.Rounding + NormTolerance : NormTolerance;
            if (element >= shape.RotaryDim)
            {
                return (heads[index], shape.Norms ? Math.Abs(heads[index]) * normTolerance : 0);
            }

            int pair = element % (shape.RotaryDim / 2);
            int angle = (positions[index / shape.KeyDim / headCount] * half) + pair;
            double x = heads[index - element + pair];
            double y = heads[index - element + pair + half];
            (double first, double second) = element < half ? (x * cosines[angle], -y * sines[angle]) : (y * cosines[angle], x * sines[angle]);
            return (first + second, (Math.Abs(first) + Math.Abs(second)) * (shape.Norms ? normTolerance : ProductTolerance));
        }

        // Heads as they turn.
        double[] Normed(float[] heads, float[] gains)
        {
            double[] result = [.. heads];
            for (int start = 0; shape.Norms && start < heads.Length; start += shape.KeyDim)
            {
                Span<double> head = result.AsSpan(start, shape.KeyDim);
                double square = 0;
                foreach (double value in head)
                {
                    square += value * value;
                }

                double factor = 1 / Math.Sqrt((square / shape.KeyDim) + Epsilon);
                for (int i = 0; i < head.Length; i++)
                {
                    head[i] *= factor * (gains[i] + (double)GainOffset);
                }
            }

            return result;
        }

        void AssertCached(double expected, float actual, double tolerance, int index)
        {
            if (cacheType != DType.Float8E4M3)
            {
                device.AssertRounded(expected, actual, tolerance, index);
                return;
            }

            // Four bits of mantissa with the hidden one, steps of 2^-9 below 2^-6, the largest value for all beyond it.
            double magnitude = Math.Min(Math.Abs(expected), 448);
            double step = Math.Pow(2, Math.Max(Math.Floor(Math.Log2(Math.Max(magnitude, 1e-9))), -6) - 3);
            Assert.Equal(Math.CopySign(magnitude, expected), actual, (step / 2) + tolerance);
        }
    }

    [Theory]
    [InlineData(Form.CudaBFloat16)]
    [InlineData(Form.CudaFloat16)]
    public void RotateAndWriteKv_SlotOutsideTheCache_WritesNothing(Form form)
    {
        using OpDevice device = OpDevice.Open(form);
        Tensor keys = device.Activations(device.Random(3 * 64), 3);
        KvLayer layer = device.Backend.AllocateKvLayer(1, 16, 1, 64, 64, device.Type);

        device.Backend.RotateAndWriteKv(keys.SliceColumns(0, 0), keys, keys, device.Integers(0, 0, 0), default, layer, device.Integers(-1, 16, 2));

        byte[] bytes = device.ReadBytes(layer.Keys, 16 * 64 * 2);
        Assert.Equal(-1, bytes.AsSpan(0, 2 * 128).IndexOfAnyExcept((byte)0));
        Assert.NotEqual(-1, bytes.AsSpan(2 * 128, 128).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, bytes.AsSpan(3 * 128).IndexOfAnyExcept((byte)0));
    }

    private static byte[] Poison(OpDevice device, KvLayer layer, nint address, int dim)
    {
        bool isCpu = device.Form is Form.Reference or Form.Simd;
        KvLayout layout = isCpu ? new KvLayout(layer) : default;
        long bytes = isCpu
            ? layer.BlockCount * (address == layer.Keys ? layout.KeyBlockBytes : layout.ValueBlockBytes)
            : (long)layer.BlockCount * layer.BlockSize * layer.Heads * dim * layer.Type.SizeBytes();
        byte[] poison = new byte[bytes];
        Array.Fill(poison, (byte)0xFF);
        device.WriteBytes(address, poison);
        return poison;
    }

    /// <summary>Where an element lies in the cache: panels on the CPU, [block][head][token][element] on the GPU.</summary>
    private static long Offset(KvLayer layer, int slot, int head, int element, bool isKey)
    {
        int block = slot / layer.BlockSize;
        int offset = slot % layer.BlockSize;
        if (layer.Type == DType.Float32)
        {
            KvLayout layout = new(layer);
            return isKey
                ? layout.KeyElement(block, head, offset, element) - layout.Keys
                : layout.ValueElement(block, head, offset, element) - layout.Values;
        }

        int dim = isKey ? layer.KeyDim : layer.ValueDim;
        return (((((((long)block * layer.Heads) + head) * layer.BlockSize) + offset) * dim) + element) * layer.Type.SizeBytes();
    }
}
