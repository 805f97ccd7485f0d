using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

[Collection(Gpu.Collection)]
public sealed class LinearCudaTests
{
    // Rounding of a result to bfloat16 (8 bits, half a step) or float16 (11 bits).
    private const double BFloat16Rounding = 1.0 / 256;
    private const double Float16Rounding = 1.0 / 2048;

    // Tensor cores add products in float32 with truncation, in an order of their own: of the sum of magnitudes.
    private const double AccumulationTolerance = 4e-6;

    private const int SampledElements = 60;

    public static TheoryData<int, int, int> OddShapes => new()
    {
        { 1, 1, 1 },
        { 1, 3, 7 },
        { 2, 17, 33 },
        { 3, 33, 70 },
        { 5, 8, 8 },
        { 7, 100, 24 },
        { 9, 257, 129 },
        { 31, 64, 65 },
        { 64, 1000, 40 },
        { 130, 72, 520 },
        { 300, 48, 16 },
        { 1, 48, 1030 },
        { 513, 120, 88 },
    };

    // outputs, inputs: Llama-3.2-1B, Qwen2.5-0.5B, Llama-3.1-8B, a vocabulary, Qwen2.5-14B, Llama-3.1-70B.
    public static TheoryData<int, int> ModelShapes => new()
    {
        { 3072, 2048 },
        { 2048, 8192 },
        { 1152, 896 },
        { 6144, 4096 },
        { 28672, 4096 },
        { 4096, 14336 },
        { 32003, 4096 },
        { 5120, 13824 },
        { 57344, 8192 },
    };

    [Theory]
    [MemberData(nameof(OddShapes))]
    public void Linear_OddShape_IsTheProduct(int rows, int outputs, int inputs)
    {
        foreach (DType type in new[] { DType.BFloat16, DType.Float16 })
        {
            using CudaBackend backend = Gpu.Open(type);
            using LinearCase linear = new(backend, rows, outputs, inputs, inputGap: 3, outputGap: 5, seed: rows);
            foreach (DType outputType in new[] { type, DType.Float32 })
            {
                linear.Check(rows, outputType, useBias: false, rows * outputs);
                linear.Check(rows, outputType, useBias: true, rows * outputs);
            }
        }
    }

    [Theory]
    [MemberData(nameof(ModelShapes))]
    public void Linear_ShapeOfAModel_IsTheProduct(int outputs, int inputs)
    {
        using CudaBackend backend = Gpu.Open();
        using LinearCase linear = new(backend, 1000, outputs, inputs, inputGap: 0, outputGap: 0, seed: outputs);
        foreach (int rows in new[] { 1, 2, 3, 5, 8, 9, 16, 33, 64, 100, 200, 257, 512, 1000 })
        {
            linear.Check(rows, DType.BFloat16, useBias: rows % 2 == 0, SampledElements);
            if (rows <= 64)
            {
                linear.Check(rows, DType.Float32, useBias: rows == 3, SampledElements);
            }
        }
    }

    [Theory]
    [InlineData(8191, 1024, 512)]
    [InlineData(8192, 512, 1024)]
    [InlineData(16001, 128, 256)]
    public void Linear_ManyRows_IsTheProduct(int rows, int outputs, int inputs)
    {
        using CudaBackend backend = Gpu.Open();
        using LinearCase linear = new(backend, rows, outputs, inputs, inputGap: 8, outputGap: 8, seed: rows);
        linear.Check(rows, DType.BFloat16, useBias: true, SampledElements);
    }

    [Fact]
    public void Linear_RowsInsideATensor_AreTheProduct()
    {
        using CudaBackend backend = Gpu.Open();
        using LinearCase linear = new(backend, 40, 96, 64, inputGap: 64, outputGap: 32, seed: 9);
        linear.Check(7, DType.BFloat16, useBias: true, 7 * 96, firstRow: 5);
        linear.Check(33, DType.BFloat16, useBias: false, 33 * 96, firstRow: 1);
    }

    [Fact]
    public void Linear_BiasUploadedAgain_UsesTheNewOne()
    {
        using CudaBackend backend = Gpu.Open();
        Weight weight = backend.AllocateWeight(16, 16, DType.BFloat16);
        backend.UploadRows(weight, 0, new byte[512], DType.BFloat16);
        Tensor input = backend.Allocate(10, 16, DType.BFloat16);
        Tensor output = backend.Allocate(10, 16, DType.BFloat16);
        Tensor bias = backend.Allocate(1, 16, DType.Float32);
        foreach (float value in new[] { 1f, 2f })
        {
            backend.Upload<float>(bias, [.. Enumerable.Repeat(value, 16)]);
            backend.Linear(output, input, weight, bias);
            Assert.Equal(-1, Gpu.Read(backend, output).AsSpan().IndexOfAnyExcept(value));
        }
    }

    [Fact]
    public void Linear_WrongShapes_Throw()
    {
        using CudaBackend backend = Gpu.Open();
        Weight weight = backend.AllocateWeight(16, 8, DType.BFloat16);
        Tensor input = backend.Allocate(2, 8, DType.BFloat16);

        Assert.Throws<ArgumentException>(() => backend.Linear(backend.Allocate(2, 15, DType.BFloat16), input, weight, null));
        Assert.Throws<ArgumentException>(() => backend.Linear(backend.Allocate(3, 16, DType.BFloat16), input, weight, null));
        Assert.Throws<ArgumentException>(() => backend.Linear(backend.Allocate(2, 16, DType.Float16), input, weight, null));
        backend.Linear(backend.Allocate(0, 16, DType.BFloat16), input.SliceRows(0, 0), weight, null);
    }

    public static TheoryData<int, int, DType> InvariantShapes => new()
    {
        { 6144, 4096, DType.BFloat16 },
        { 4096, 14336, DType.BFloat16 },
        { 28672, 4096, DType.BFloat16 },
        { 32003, 2048, DType.Float32 },
        { 4096, 4096, DType.Float32 },
        { 100, 70, DType.BFloat16 },
        { 1152, 896, DType.BFloat16 },
        { 896, 4864, DType.BFloat16 },
    };

    [Theory]
    [MemberData(nameof(InvariantShapes))]
    public void Linear_BatchInvariant_RowHasTheBitsOfTheRowAlone(int outputs, int inputs, DType outputType)
    {
        using CudaBackend backend = Gpu.Open(batchInvariant: true);
        Random random = new(21);
        const int MaxRows = 2100;
        Tensor bias = Gpu.Tensor(backend, [.. Enumerable.Range(0, outputs).Select(i => i / (float)outputs)], 1, outputs, DType.Float32);
        (Weight weight, _) = RandomWeight(backend, random, outputs, inputs);
        Tensor input = backend.Allocate(MaxRows, inputs, DType.BFloat16);
        backend.Upload<ushort>(input, Gpu.RandomBits(random, MaxRows * inputs, DType.BFloat16));
        Tensor output = backend.Allocate(MaxRows, outputs, outputType);
        int[] watched = [0, 1, 2, 7, 15, 16, 63, 64, 127, 200, 299, 1023, 2099];
        float[][] alone = new float[watched.Length][];
        for (int i = 0; i < watched.Length; i++)
        {
            backend.Linear(output.SliceRows(0, 1), input.SliceRows(watched[i], 1), weight, bias);
            alone[i] = Gpu.Read(backend, output.SliceRows(0, 1));
        }

        int[] counts = [.. Enumerable.Range(2, 31), 40, 47, 48, 63, 64, 65, 80, 96, 100, 127, 128, 129, 160, 191, 192, 200, 255, 256, 257, 300, 512, 1024, MaxRows];
        foreach (int count in counts)
        {
            backend.Linear(output.SliceRows(0, count), input.SliceRows(0, count), weight, bias);
            for (int i = 0; i < watched.Length; i++)
            {
                if (watched[i] < count)
                {
                    TestTensors.AssertSameBits(alone[i], Gpu.Read(backend, output.SliceRows(watched[i], 1)), watched[i]);
                }
            }
        }

        // The same rows at other places of a batch.
        for (int first = 0; first < 5; first++)
        {
            backend.Linear(output.SliceRows(0, 201), input.SliceRows(first, 201), weight, bias);
            TestTensors.AssertSameBits(alone[9], Gpu.Read(backend, output.SliceRows(200 - first, 1)), first);
        }
    }

    [Fact]
    public void Linear_CalledAgain_HasTheSameBits()
    {
        using CudaBackend backend = Gpu.Open();
        Random random = new(22);
        (Weight weight, _) = RandomWeight(backend, random, 4096, 14336);
        Tensor input = backend.Allocate(300, 14336, DType.BFloat16);
        backend.Upload<ushort>(input, Gpu.RandomBits(random, 300 * 14336, DType.BFloat16));
        Tensor output = backend.Allocate(300, 4096, DType.Float32);
        foreach (int rows in new[] { 1, 2, 8, 16, 64, 300 })
        {
            backend.Linear(output.SliceRows(0, rows), input.SliceRows(0, rows), weight, null);
            float[] expected = Gpu.Read(backend, output.SliceRows(0, rows));
            for (int round = 0; round < 5; round++)
            {
                backend.Linear(output.SliceRows(0, rows), input.SliceRows(0, rows), weight, null);
                TestTensors.AssertSameBits(expected, Gpu.Read(backend, output.SliceRows(0, rows)), rows);
            }
        }
    }

    private static (Weight Weight, ushort[] Bits) RandomWeight(CudaBackend backend, Random random, int rows, int columns)
    {
        Weight weight = backend.AllocateWeight(rows, columns, backend.ActivationType);
        ushort[] bits = Gpu.RandomBits(random, rows * columns, backend.ActivationType);
        backend.UploadRows(weight, 0, MemoryMarshal.AsBytes<ushort>(bits), backend.ActivationType);
        return (weight, bits);
    }

    /// <summary>Operands on both sides.</summary>
    private sealed class LinearCase : IDisposable
    {
        private readonly CudaBackend _backend;
        private readonly Random _random;
        private readonly int _outputs;
        private readonly int _inputs;
        private readonly int _outputGap;
        private readonly Weight _weight;
        private readonly ushort[] _weightBits;
        private readonly Tensor _input;
        private readonly ushort[] _inputBits;
        private readonly Tensor _bias;
        private readonly float[] _biasValues;

        public LinearCase(CudaBackend backend, int rows, int outputs, int inputs, int inputGap, int outputGap, int seed)
        {
            _backend = backend;
            _random = new Random(seed);
            _outputs = outputs;
            _inputs = inputs;
            _outputGap = outputGap;
            (_weight, _weightBits) = RandomWeight(backend, _random, outputs, inputs);
            int stride = inputs + inputGap;
            _inputBits = Gpu.RandomBits(_random, rows * stride, backend.ActivationType);
            Tensor whole = backend.Allocate(rows, stride, backend.ActivationType);
            backend.Upload<ushort>(whole, _inputBits);
            _input = whole.SliceColumns(0, inputs);

            // Exact in the activation type, so that only the product is judged.
            _biasValues = [.. Enumerable.Range(0, outputs).Select(i => (float)(i % 64) - 32)];
            _bias = Gpu.Tensor(backend, _biasValues, 1, outputs, DType.Float32);
        }

        public void Check(int rows, DType outputType, bool useBias, int samples, int firstRow = 0)
        {
            int stride = _outputs + _outputGap;
            Tensor whole = _backend.Allocate(rows, stride, outputType);
            Gpu.Poison(_backend, whole);
            _backend.Linear(whole.SliceColumns(0, _outputs), _input.SliceRows(firstRow, rows), _weight, useBias ? _bias : null);
            byte[] bytes = new byte[(long)rows * stride * outputType.SizeBytes()];
            _backend.Download<byte>(new Tensor(whole.Address, DType.Float8E4M3, 1, bytes.Length), bytes);
            _backend.Free(whole);
            CheckPoison(bytes, rows, stride * outputType.SizeBytes(), _outputs * outputType.SizeBytes(), outputType.SizeBytes());
            bool all = samples == rows * _outputs;
            for (int sample = 0; sample < samples; sample++)
            {
                int row = all ? sample / _outputs : _random.Next(rows);
                int output = all ? sample % _outputs : _random.Next(_outputs);
                (double expected, double magnitude) = Reference(row + firstRow, output, useBias);
                double rounding = outputType switch { DType.BFloat16 => BFloat16Rounding, DType.Float16 => Float16Rounding, _ => 0 };
                double beforeBias = useBias ? expected - _biasValues[output] : 0;

                // Some algorithms of the library round before they add the bias, and again after it.
                double tolerance = ((Math.Abs(expected) + Math.Abs(beforeBias)) * rounding) + (magnitude * AccumulationTolerance);
                float actual = ElementAt(bytes, (row * stride) + output, outputType);
                if (!(Math.Abs(actual - expected) <= tolerance))
                {
                    Assert.Fail($"{rows} rows, {outputType}, bias {useBias}: row {row}, output {output}: expected {expected}, got {actual}");
                }
            }
        }

        public void Dispose()
        {
            _backend.Free(_input);
            _backend.Free(_bias);
        }

        /// <summary>What was to be written holds no poison any more, and the gaps between the rows nothing else.</summary>
        private static void CheckPoison(ReadOnlySpan<byte> bytes, int rows, int strideBytes, int rowBytes, int elementBytes)
        {
            for (int row = 0; row < rows; row++)
            {
                ReadOnlySpan<byte> line = bytes.Slice(row * strideBytes, strideBytes);
                int unwritten = elementBytes == 2
                    ? MemoryMarshal.Cast<byte, ushort>(line[..rowBytes]).IndexOf(ushort.MaxValue)
                    : MemoryMarshal.Cast<byte, uint>(line[..rowBytes]).IndexOf(uint.MaxValue);
                if (unwritten >= 0 || line[rowBytes..].IndexOfAnyExcept((byte)0xFF) >= 0)
                {
                    Assert.Fail($"{rows} rows: row {row} was {(unwritten >= 0 ? $"not written at column {unwritten}" : "written beyond its end")}");
                }
            }
        }

        private static float ElementAt(byte[] bytes, int index, DType type) => type == DType.Float32
            ? BitConverter.ToSingle(bytes, index * sizeof(float))
            : Gpu.Widen(BitConverter.ToUInt16(bytes, index * sizeof(ushort)), type);

        private (double Value, double Magnitude) Reference(int row, int output, bool useBias)
        {
            double sum = useBias ? _biasValues[output] : 0;
            double magnitude = Math.Abs(sum);
            for (int k = 0; k < _inputs; k++)
            {
                double product = (double)Gpu.Widen(_inputBits[(row * _input.RowStride) + k], _backend.ActivationType)
                    * Gpu.Widen(_weightBits[((long)output * _inputs) + k], _backend.ActivationType);
                sum += product;
                magnitude += Math.Abs(product);
            }

            return (sum, magnitude);
        }
    }
}
