using System.Runtime.InteropServices;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

public sealed class ScaledLinearTests
{
    // float32 chains over at most 2,600 products of magnitude 1: rounding errors grow with the root of their number.
    private const double DefinitionTolerance = 1e-4;

    // Three bits of mantissa, rounded to nearest: half of 2^-3 of the value.
    private const float HalfStep = 1f / 16;

    public static TheoryData<int, int, int, int, int> Blocks() => new()
    {
        { 1, 300, 70, 128, 128 },
        { 5, 257, 33, 128, 128 },
        { 40, 128, 16, 64, 128 },
        { 40, 1030, 100, 1, int.MaxValue },
        { 3, 640, 50, int.MaxValue, int.MaxValue },
        { 33, 2600, 17, 128, 256 },
    };

    [Fact]
    public void Element_AnyCode_IsWhatTheFormatDefines()
    {
        for (int code = 0; code < 256; code++)
        {
            Assert.Equal(BitConverter.SingleToInt32Bits(TestTensors.Element((byte)code)) | 0x400000 * ((code & 0x7F) / 0x7F),
                BitConverter.SingleToInt32Bits(Float8Panel.Widen((byte)code)) | 0x400000 * ((code & 0x7F) / 0x7F));
        }
    }

    [Fact]
    public void Linear_EveryCode_IsWidenedExactlyByEveryTile()
    {
        // A matrix whose row r holds code r in column 0: one hot input reads it back.
        foreach (int rows in new[] { 1, 2, 3, 5, 9, 13, 40 })
        {
            using TestTensors tensors = new(seed: 1);
            byte[] codes = [.. Enumerable.Range(0, 256).Select(code => (byte)(code % 128 == 127 ? 0 : code))];
            Weight weight = tensors.Backend.AllocateWeight(256, 1, DType.Float8E4M3);
            tensors.Backend.UploadRows(weight, 0, codes, DType.Float8E4M3);
            Tensor input = tensors.Backend.Allocate(rows, 1, DType.Float32);
            for (int row = 0; row < rows; row++)
            {
                TestTensors.Row(input, row)[0] = 1;
            }

            Tensor output = tensors.Backend.Allocate(rows, 256, DType.Float32);
            tensors.Backend.Linear(output, input, weight, null);

            for (int row = 0; row < rows; row++)
            {
                Assert.Equal(codes.Select(TestTensors.Element), TestTensors.Row(output, row).ToArray());
            }
        }
    }

    [Fact]
    public void Narrow_EveryElementAndWhatIsBetween_IsTheNearestTiesToEven()
    {
        float[] elements = [.. Enumerable.Range(0, 127).Select(code => TestTensors.Element((byte)code))];
        for (int code = 0; code < elements.Length; code++)
        {
            Assert.Equal(code, PackedFloat8.Narrow(elements[code]));
            Assert.Equal(code | 0x80, PackedFloat8.Narrow(-elements[code]));
            if (code + 1 < elements.Length)
            {
                float middle = (elements[code] + elements[code + 1]) / 2;
                Assert.Equal(code + (code & 1), PackedFloat8.Narrow(middle));
                Assert.Equal(code, PackedFloat8.Narrow(MathF.BitDecrement(middle)));
                Assert.Equal(code + 1, PackedFloat8.Narrow(MathF.BitIncrement(middle)));
            }
        }

        Assert.Equal(126, PackedFloat8.Narrow(1e30f));
        Assert.Equal(0x80 | 126, PackedFloat8.Narrow(-449f));
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public void Linear_BlocksOfAnySize_IsTheProductWithTheScaledElements(int rows, int k, int outputs, int rowBlock, int columnBlock)
    {
        using TestTensors tensors = new(seed: k);
        Tensor input = tensors.Random(rows, k);
        (Weight weight, float[] values) = tensors.RandomScaledWeight(outputs, k, rowBlock, columnBlock);
        Tensor bias = tensors.Random(1, outputs);
        Tensor output = tensors.Backend.Allocate(rows, outputs, DType.Float32);

        tensors.Backend.Linear(output, input, weight, bias);

        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(values[i], PackedWeight.Read(weight, i / k, i % k));
        }

        for (int row = 0; row < rows; row++)
        {
            for (int feature = 0; feature < outputs; feature++)
            {
                double sum = TestTensors.Row(bias, 0)[feature];
                for (int column = 0; column < k; column++)
                {
                    sum += (double)TestTensors.Row(input, row)[column] * values[(feature * k) + column];
                }

                Assert.Equal(sum, TestTensors.Row(output, row)[feature], DefinitionTolerance);
            }
        }
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    [InlineData(DType.Float16)]
    public void UploadRows_ScaledElementsIntoAnotherType_StoresRoundedProducts(DType type)
    {
        using TestTensors tensors = new(seed: 3);
        byte[] elements = [.. Enumerable.Range(0, 40 * 200).Select(i => (byte)(i % 127))];
        float[] scales = [.. Enumerable.Range(0, 3 * 2).Select(i => 0.01f * (i + 1))];
        Weight weight = tensors.Backend.AllocateWeight(40, 200, type);

        tensors.Backend.UploadRows(weight, 0, elements, DType.Float8E4M3, new BlockScales(scales, 16, 128, 2));

        for (int i = 0; i < elements.Length; i++)
        {
            float expected = TestTensors.Element(elements[i]) * scales[(i / 200 / 16 * 2) + (i % 200 / 128)];
            Assert.Equal(TestTensors.Round(expected, type), PackedWeight.Read(weight, i / 200, i % 200));
        }
    }

    [Fact]
    public void UploadRows_OtherTypeIntoScaledElements_MakesTheLargestOfEachRow448()
    {
        using TestTensors tensors = new(seed: 4);
        const int Rows = 37;
        const int Columns = 150;
        float[] values = TestTensors.Row(tensors.Random(1, Rows * Columns), 0).ToArray();
        values.AsSpan(Columns, Columns).Clear();
        Weight weight = tensors.Backend.AllocateWeight(Rows, Columns, DType.Float8E4M3);

        tensors.Backend.UploadRows(weight, 0, MemoryMarshal.AsBytes<float>(values), DType.Float32);

        for (int row = 0; row < Rows; row++)
        {
            float largest = values.AsSpan(row * Columns, Columns).ToArray().Max(MathF.Abs);
            for (int column = 0; column < Columns; column++)
            {
                float value = values[(row * Columns) + column];

                // Half a step of a normal element, or of a subnormal one: 2^-10 of a scale.
                float bound = MathF.Max(MathF.Abs(value) * HalfStep, largest / 448 / 1024) * 1.001f;
                Assert.InRange(PackedWeight.Read(weight, row, column), value - bound, value + bound);
            }
        }
    }

    [Fact]
    public void UploadRows_NaN_SaysWhichRow()
    {
        using TestTensors tensors = new(seed: 5);
        Weight weight = tensors.Backend.AllocateWeight(20, 8, DType.Float8E4M3);
        byte[] elements = new byte[3 * 8];
        elements[12] = 0xFF;

        InvalidDataException error = Assert.Throws<InvalidDataException>(
            () => tensors.Backend.UploadRows(weight, 15, elements, DType.Float8E4M3));

        Assert.Contains("Row 16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(256f)]
    public void BlockScales_UnusableValue_Throws(float scale) =>
        Assert.Throws<InvalidDataException>(() => new BlockScales([1, scale], 128, 128, 1));

    [Fact]
    public void UploadRows_ScalesThatDoNotCoverTheRows_Throw()
    {
        using TestTensors tensors = new(seed: 6);
        Weight weight = tensors.Backend.AllocateWeight(20, 200, DType.Float8E4M3);

        Assert.Throws<ArgumentException>(
            () => tensors.Backend.UploadRows(weight, 0, new byte[20 * 200], DType.Float8E4M3, new BlockScales([1], 128, 128, 1)));
        Assert.Throws<ArgumentException>(
            () => tensors.Backend.UploadRows(weight, 0, new byte[20 * 200], DType.Float8E4M3, new BlockScales([1, 1, 1, 1], 128, 64, 4)));
    }
}
