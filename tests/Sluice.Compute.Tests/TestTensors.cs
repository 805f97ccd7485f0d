using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Tests;

/// <summary>A backend with helpers that fill and read its memory. Two threads, so that work is split whatever the machine.</summary>
internal sealed unsafe class TestTensors : IDisposable
{
    private readonly Random _random;

    public TestTensors(int seed, int threads = 2)
    {
        _random = new Random(seed);
        Backend = new CpuBackend(threads);
    }

    public CpuBackend Backend { get; }

    /// <summary>Random values in a tensor whose rows are <paramref name="gap"/> elements further apart than they are long.</summary>
    public Tensor Random(int rows, int columns, int gap = 0, float scale = 1)
    {
        Tensor whole = Backend.Allocate(Math.Max(rows, 1), columns + gap, DType.Float32);
        Span<float> values = new((void*)whole.Address, whole.Rows * whole.Columns);
        foreach (ref float value in values)
        {
            value = ((_random.NextSingle() * 2) - 1) * scale;
        }

        return gap == 0 ? whole.SliceRows(0, rows) : whole.SliceRows(0, rows).SliceColumns(0, columns);
    }

    public Tensor Integers(params int[] values)
    {
        Tensor tensor = Backend.Allocate(1, values.Length, DType.Int32);
        Backend.Upload<int>(tensor, values);
        return tensor;
    }

    public Tensor Copy(Tensor source)
    {
        Tensor copy = Backend.Allocate(source.Rows, source.Columns, source.Type);
        for (int row = 0; row < source.Rows; row++)
        {
            Row(source, row).CopyTo(Row(copy, row));
        }

        return copy;
    }

    /// <summary>A weight with random values, and the values as stored.</summary>
    public (Weight Weight, float[] Values) RandomWeight(int rows, int columns, DType type)
    {
        Weight weight = Backend.AllocateWeight(rows, columns, type);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Round((_random.NextSingle() * 2) - 1, type);
        }

        Backend.UploadRows(weight, 0, MemoryMarshal.AsBytes<float>(values), DType.Float32);
        return (weight, values);
    }

    public static float Round(float value, DType type) => type switch
    {
        DType.BFloat16 => (float)(BFloat16)value,
        DType.Float16 => (float)(Half)value,
        _ => value,
    };

    public static Span<float> Row(Tensor tensor, int row) => new((float*)tensor.Address + ((long)row * tensor.RowStride), tensor.Columns);

    public static void AssertSameBits(Tensor expected, Tensor actual)
    {
        Assert.Equal((expected.Rows, expected.Columns), (actual.Rows, actual.Columns));
        for (int row = 0; row < expected.Rows; row++)
        {
            AssertSameBits(Row(expected, row), Row(actual, row), row);
        }
    }

    public static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int row = 0)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
            {
                Assert.Fail($"Row {row}, column {i}: expected {expected[i]:R}, got {actual[i]:R}.");
            }
        }
    }

    public void Dispose() => Backend.Dispose();
}
