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
        if (type == DType.Float8E4M3)
        {
            return RandomScaledWeight(rows, columns, rowBlock: 128, columnBlock: 128);
        }

        Weight weight = Backend.AllocateWeight(rows, columns, type);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Round((_random.NextSingle() * 2) - 1, type);
        }

        Backend.UploadRows(weight, 0, MemoryMarshal.AsBytes<float>(values), DType.Float32);
        return (weight, values);
    }

    /// <summary>
    /// A weight of 8-bit elements with random scales, uploaded in parts, and what it stands for. All elements but NaN occur; subnormal
    /// ones of both signs among them.
    /// </summary>
    public (Weight Weight, float[] Values) RandomScaledWeight(int rows, int columns, int rowBlock, int columnBlock)
    {
        Weight weight = Backend.AllocateWeight(rows, columns, DType.Float8E4M3);
        byte[] elements = new byte[rows * columns];
        _random.NextBytes(elements);
        elements.AsSpan().Replace((byte)0x7F, (byte)0x07);
        elements.AsSpan().Replace((byte)0xFF, (byte)0x87);
        int columnBlocks = (int)((columns + (long)columnBlock - 1) / columnBlock);
        int rowBlocks = (int)((rows + (long)rowBlock - 1) / rowBlock);
        float[] scales = new float[rowBlocks * columnBlocks];
        foreach (ref float scale in scales.AsSpan())
        {
            scale = (_random.NextSingle() + 0.5f) / 448;
        }

        // A first part that ends within a panel and within a block.
        int first = rows / 3;
        UploadScaled(weight, 0, elements.AsSpan(0, first * columns), scales, rowBlock, columnBlock, columnBlocks);
        UploadScaled(weight, first, elements.AsSpan(first * columns), scales, rowBlock, columnBlock, columnBlocks);
        float[] values = new float[elements.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Element(elements[i]) * scales[(i / columns / rowBlock * columnBlocks) + (i % columns / columnBlock)];
        }

        return (weight, values);
    }

    /// <summary>An E4M3 element by its definition.</summary>
    public static float Element(byte code)
    {
        int exponent = (code >> 3) & 15;
        double magnitude = exponent == 0 ? (code & 7) / 512.0 : (1 + ((code & 7) / 8.0)) * Math.Pow(2, exponent - 7);
        return (code & 0x7F) == 0x7F ? float.NaN : (float)((code & 0x80) != 0 ? -magnitude : magnitude);
    }

    private void UploadScaled(
        Weight weight, int firstRow, ReadOnlySpan<byte> elements, float[] scales, int rowBlock, int columnBlock, int columnBlocks)
    {
        if (!elements.IsEmpty)
        {
            int firstBlock = firstRow / rowBlock;
            var part = new BlockScales(
                scales[(firstBlock * columnBlocks)..], rowBlock, columnBlock, columnBlocks, firstRow - (firstBlock * rowBlock));
            Backend.UploadRows(weight, firstRow, elements, DType.Float8E4M3, part);
        }
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
