using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

public sealed class FourBitLinearTests
{
    private const int Block = 32;

    public static TheoryData<int, int, int> Shapes()
    {
        TheoryData<int, int, int> data = [];
        foreach (int rows in new[] { 1, 2, 3, 5, 7, 8, 12, 13, 31, 40, 100 })
        {
            data.Add(rows, 32, 70);
            data.Add(rows, 2880, 48);
        }

        data.Add(1, 9024, 33);
        data.Add(40, 9024, 17);
        return data;
    }

    [Fact]
    public void Read_EveryCodeAndExponent_IsWhatTheFormatDefines()
    {
        // OCP MX 1.0: codes 1 to 7 are 0.5, 1, 1.5, 2, 3, 4, 6; the fourth bit is the sign.
        double[] magnitudes = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
        using TestTensors tensors = new(seed: 1);
        Weight weight = tensors.Backend.AllocateWeight(134, Block, DType.Float4E2M1);
        byte[] codes = [.. Enumerable.Range(0, 134 * Block / 2).Select(static i => (byte)(((2 * i) % 16) | (((2 * i) + 1) % 16 << 4)))];
        float[] scales = [.. Enumerable.Range(1, 134).Select(static exponent => MathF.ScaleB(1, exponent - 127))];
        tensors.Backend.UploadRows(weight, 0, codes, DType.Float4E2M1, new BlockScales(scales, 1, Block, 1));

        for (int row = 0; row < weight.Rows; row++)
        {
            for (int column = 0; column < Block; column++)
            {
                double sign = column % 16 > 7 ? -1 : 1;
                Assert.Equal(sign * magnitudes[column % 8] * Math.Pow(2, row + 1 - 127), PackedWeight.Read(weight, row, column));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Linear_AnyShape_HasTheBitsOfTheReferenceAndOfBFloat16(int rows, int k, int outputs)
    {
        using TestTensors tensors = new(seed: rows + k);
        Weight weight = RandomWeight(tensors, outputs, k, partRows: 5);
        Weight widened = tensors.Backend.AllocateWeight(outputs, k, DType.BFloat16);
        for (int row = 0; row < outputs; row++)
        {
            float[] values = [.. Enumerable.Range(0, k).Select(column => PackedWeight.Read(weight, row, column))];
            tensors.Backend.UploadRows(widened, row, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values), DType.Float32);
        }

        Tensor input = tensors.Random(rows, k, gap: 5);
        Tensor bias = tensors.Random(1, outputs);
        Tensor expected = tensors.Backend.Allocate(rows, outputs, DType.Float32);
        Tensor exact = tensors.Backend.Allocate(rows, outputs, DType.Float32);
        Tensor actual = tensors.Random(rows, outputs, gap: 3);

        LinearReference.Run(expected, input, weight, bias);
        tensors.Backend.Linear(exact, input, widened, bias);
        tensors.Backend.Linear(actual, input, weight, bias);

        TestTensors.AssertSameBits(expected, actual);
        TestTensors.AssertSameBits(exact, actual);
    }

    [Fact]
    public void AllocateWeight_FourBits_TakesFourBitsAndTheScales()
    {
        using TestTensors tensors = new(seed: 3);
        Weight weight = tensors.Backend.AllocateWeight(64, 96, DType.Float4E2M1);
        Assert.Equal((64 * 96 / 2) + (64 * 3), weight.SizeBytes);
    }

    [Fact]
    public void AllocateWeight_ColumnsThatAreNoWholeBlocks_IsRefused()
    {
        using TestTensors tensors = new(seed: 3);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensors.Backend.AllocateWeight(16, 48, DType.Float4E2M1));
    }

    [Theory]
    [InlineData(3f)]
    [InlineData(-1f)]
    public void UploadRows_ScaleThatIsNoPowerOfTwo_IsRefused(float scale)
    {
        using TestTensors tensors = new(seed: 3);
        Weight weight = tensors.Backend.AllocateWeight(1, Block, DType.Float4E2M1);
        Assert.Throws<InvalidDataException>(
            () => tensors.Backend.UploadRows(weight, 0, new byte[Block / 2], DType.Float4E2M1, new BlockScales([scale], 1, Block, 1)));
        Assert.Throws<ArgumentException>(() => tensors.Backend.UploadRows(weight, 0, new byte[Block / 2], DType.Float4E2M1));
        Assert.Throws<NotSupportedException>(() => tensors.Backend.UploadRows(weight, 0, new byte[Block * 4], DType.Float32));
    }

    private static Weight RandomWeight(TestTensors tensors, int rows, int columns, int partRows)
    {
        Random random = new(rows);
        Weight weight = tensors.Backend.AllocateWeight(rows, columns, DType.Float4E2M1);
        for (int row = 0; row < rows; row += partRows)
        {
            int count = Math.Min(partRows, rows - row);
            byte[] codes = new byte[count * columns / 2];
            random.NextBytes(codes);
            float[] scales = [.. Enumerable.Range(0, count * columns / Block).Select(_ => MathF.ScaleB(1, random.Next(-12, 3)))];
            tensors.Backend.UploadRows(weight, row, codes, DType.Float4E2M1, new BlockScales(scales, 1, Block, columns / Block));
        }

        return weight;
    }
}
