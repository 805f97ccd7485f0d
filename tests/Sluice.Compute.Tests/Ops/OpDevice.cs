using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops;

/// <summary>
/// The device that a form of an operation runs on, with tensors whose gaps between rows and unwritten outputs are NaN, so that what is
/// read or written beyond a tensor is seen.
/// </summary>
internal sealed class OpDevice : IDisposable
{
    // Half a step of a rounding to bfloat16 (8 bits) or float16 (11 bits) or float32 (24 bits).
    private const double BFloat16Rounding = 1.0 / 256;
    private const double Float16Rounding = 1.0 / 2048;
    private const double Float32Rounding = 1.0 / (1 << 24);

    // Half the smallest step of float16; nothing for the others.
    private const double Float16Floor = 3e-8;

    // What float32 arithmetic may add to the rounding of the result, relative to it: sums of 16,384 squares, elementary functions.
    private const double ArithmeticTolerance = 1e-5;

    private readonly Random _random = new(12);

    private OpDevice(Form form, IBackend backend)
    {
        Form = form;
        Backend = backend;
        Type = backend.ActivationType;
    }

    public Form Form { get; }

    public IBackend Backend { get; }

    /// <summary>Of activations.</summary>
    public DType Type { get; }

    /// <summary>Largest relative error of rounding a number to an activation.</summary>
    public double Rounding => Type == DType.BFloat16 ? BFloat16Rounding : Type == DType.Float16 ? Float16Rounding : Float32Rounding;

    public static OpDevice Open(Form form) => new(form, form switch
    {
        Form.CudaBFloat16 => Gpu.Open(DType.BFloat16),
        Form.CudaFloat16 => Gpu.Open(DType.Float16),
        _ => new CpuBackend(2),
    });

    /// <summary>Every form with every shape.</summary>
    public static IEnumerable<Form> Forms => Enum.GetValues<Form>();

    /// <summary>A value as an activation holds it.</summary>
    public float Round(float value) => TestTensors.Round(value, Type);

    /// <summary>Random activations in ±scale.</summary>
    public float[] Random(int count, float scale = 1)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = Round(((_random.NextSingle() * 2) - 1) * scale);
        }

        return values;
    }

    /// <summary>Activations with the given values, rows <paramref name="gap"/> elements further apart than they are long.</summary>
    public Tensor Activations(float[] values, int rows, int gap = 0) => Fill(values, rows, values.Length / rows, gap, Type);

    /// <summary>A float32 tensor with the given values.</summary>
    public Tensor Floats(float[] values, int rows = 1, int gap = 0) => Fill(values, rows, values.Length / rows, gap, DType.Float32);

    public Tensor Integers(params int[] values)
    {
        Tensor tensor = Backend.Allocate(1, values.Length, DType.Int32);
        Backend.Upload<int>(tensor, values);
        return tensor;
    }

    /// <summary>An output: all NaN.</summary>
    public Tensor Poisoned(int rows, int columns, int gap = 0) => Fill([], rows, columns, gap, Type);

    /// <summary>Fills a tensor and the gaps between its rows with NaN.</summary>
    public void Poison(Tensor tensor)
    {
        byte[] bytes = new byte[(((long)(tensor.Rows - 1) * tensor.RowStride) + tensor.Columns) * tensor.Type.SizeBytes()];
        Array.Fill(bytes, (byte)0xFF);
        WriteBytes(tensor.Address, bytes);
    }

    /// <summary>The rows of a tensor of this device. Fails where a gap between them was written.</summary>
    public float[] Read(Tensor tensor)
    {
        int elementBytes = tensor.Type.SizeBytes();
        byte[] bytes = ReadBytes(tensor.Address, (long)tensor.Rows * tensor.RowStride * elementBytes);
        float[] values = new float[tensor.Rows * tensor.Columns];
        for (int row = 0; row < tensor.Rows; row++)
        {
            Span<byte> line = bytes.AsSpan(row * tensor.RowStride * elementBytes, tensor.RowStride * elementBytes);
            for (int column = 0; column < tensor.Columns; column++)
            {
                values[(row * tensor.Columns) + column] = Widen(line[(column * elementBytes)..], tensor.Type);
            }

            Assert.Equal(-1, line[(tensor.Columns * elementBytes)..].IndexOfAnyExcept((byte)0xFF));
        }

        return values;
    }

    public byte[] ReadBytes(nint address, long count)
    {
        byte[] bytes = new byte[count];
        Backend.Download<byte>(new Tensor(address, DType.Float8E4M3, 1, bytes.Length), bytes);
        return bytes;
    }

    public void WriteBytes(nint address, byte[] bytes) => Backend.Upload<byte>(new Tensor(address, DType.Float8E4M3, 1, bytes.Length), bytes);

    /// <summary>Fails unless a result is the rounded definition.</summary>
    /// <param name="expected">In double precision.</param>
    /// <param name="actual">What the operation gave.</param>
    /// <param name="termTolerance">Absolute; for results that terms larger than themselves make up.</param>
    /// <param name="index">For the message.</param>
    public void AssertRounded(double expected, float actual, double termTolerance, int index)
    {
        double floor = Type == DType.Float16 ? Float16Floor : 0;
        double tolerance = (Math.Abs(expected) * (Rounding + ArithmeticTolerance)) + termTolerance + floor;
        if (!(Math.Abs(actual - expected) <= tolerance))
        {
            Assert.Fail($"{Form}, element {index}: expected {expected:R}, got {actual:R}, tolerance {tolerance:R}.");
        }
    }

    public void Dispose() => Backend.Dispose();

    public static float Widen(ReadOnlySpan<byte> element, DType type) => type switch
    {
        DType.BFloat16 => (float)MemoryMarshal.Read<BFloat16>(element),
        DType.Float16 => (float)MemoryMarshal.Read<Half>(element),
        DType.Float8E4M3 => WidenFloat8(element[0]),
        _ => MemoryMarshal.Read<float>(element),
    };

    private static float WidenFloat8(byte bits)
    {
        int exponent = (bits >> 3) & 15;
        int mantissa = bits & 7;
        float magnitude = (bits & 127) == 127 ? float.NaN : exponent == 0 ? mantissa / 512f : (8 + mantissa) * MathF.Pow(2, exponent - 10);
        return bits > 127 ? -magnitude : magnitude;
    }

    private Tensor Fill(float[] values, int rows, int columns, int gap, DType type)
    {
        int elementBytes = type.SizeBytes();
        Tensor whole = Backend.Allocate(rows, columns + gap, type);
        byte[] bytes = new byte[rows * (columns + gap) * elementBytes];
        Array.Fill(bytes, (byte)0xFF);
        for (int i = 0; i < values.Length; i++)
        {
            Span<byte> element = bytes.AsSpan(((i / columns * (columns + gap)) + (i % columns)) * elementBytes);
            switch (type)
            {
                case DType.BFloat16:
                    MemoryMarshal.Write(element, (BFloat16)values[i]);
                    break;
                case DType.Float16:
                    MemoryMarshal.Write(element, (Half)values[i]);
                    break;
                default:
                    MemoryMarshal.Write(element, values[i]);
                    break;
            }
        }

        WriteBytes(whole.Address, bytes);
        return whole.SliceColumns(0, columns);
    }
}
