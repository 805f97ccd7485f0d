using System.Runtime.InteropServices;
using Sluice.Compute.Ops.Linear;

namespace Sluice.Compute.Tests.Ops.Linear;

public sealed class PackedWeightTests
{
    public static TheoryData<DType, DType> Types()
    {
        DType[] types = [DType.Float32, DType.Float16, DType.BFloat16];
        TheoryData<DType, DType> data = [];
        foreach (DType source in types)
        {
            foreach (DType stored in types)
            {
                data.Add(source, stored);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void UploadRows_AnyTypes_StoresRoundedValues(DType sourceType, DType storedType)
    {
        const int Rows = 37;
        const int Columns = 1031;
        using TestTensors tensors = new(seed: 1);
        float[] values = RandomValues(Rows * Columns, sourceType);
        Weight weight = tensors.Backend.AllocateWeight(Rows, Columns, storedType);

        tensors.Backend.UploadRows(weight, 0, Encode(values, sourceType), sourceType);

        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(TestTensors.Round(values[i], storedType), PackedWeight.Read(weight, i / Columns, i % Columns));
        }
    }

    [Fact]
    public void UploadRows_TiesAndSpecialValues_RoundAsBFloat16Does()
    {
        uint[] bits =
        [
            0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0xBF808000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7F800001, 0x7FFFFFFF, 0x00000001,
            0x80000000, 0x00008000, 0x00018000, 0x7F7F8000, 0x3F800000, 0x3F80C000,
        ];
        using TestTensors tensors = new(seed: 1);
        Weight weight = tensors.Backend.AllocateWeight(1, bits.Length, DType.BFloat16);

        tensors.Backend.UploadRows(weight, 0, MemoryMarshal.AsBytes<uint>(bits), DType.Float32);

        for (int i = 0; i < bits.Length; i++)
        {
            BFloat16 expected = (BFloat16)BitConverter.UInt32BitsToSingle(bits[i]);
            Assert.Equal(expected.Bits, BitConverter.SingleToUInt32Bits(PackedWeight.Read(weight, 0, i)) >> 16);
        }
    }

    [Theory]
    [InlineData(DType.BFloat16)]
    [InlineData(DType.Float32)]
    public void UploadRows_PartsInAnyOrderFromSeveralThreads_StoreTheSame(DType type)
    {
        const int Rows = 100;
        const int Columns = 33;
        using TestTensors tensors = new(seed: 1);
        float[] values = RandomValues(Rows * Columns, type);
        Weight weight = tensors.Backend.AllocateWeight(Rows, Columns, type);
        (int Start, int End)[] parts = [(40, 41), (0, 7), (90, 100), (41, 90), (7, 40)];

        Parallel.ForEach(parts, part => tensors.Backend.UploadRows(
            weight, part.Start, Encode(values.AsSpan(part.Start * Columns, (part.End - part.Start) * Columns), type), type));

        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(values[i], PackedWeight.Read(weight, i / Columns, i % Columns));
        }
    }

    [Theory]
    [InlineData(65520f)]
    [InlineData(float.NaN)]
    public void UploadRows_ValueBeyondFloat16_SaysWhichRow(float value)
    {
        using TestTensors tensors = new(seed: 1);
        float[] values = new float[3 * 8];
        values[12] = value;
        Weight weight = tensors.Backend.AllocateWeight(20, 8, DType.Float16);

        InvalidDataException error = Assert.Throws<InvalidDataException>(
            () => tensors.Backend.UploadRows(weight, 15, MemoryMarshal.AsBytes<float>(values), DType.Float32));

        Assert.Contains("Row 16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, 2)]
    [InlineData(9, 2)]
    public void UploadRows_RowsOutsideTheWeight_Throw(int firstRow, int count)
    {
        using TestTensors tensors = new(seed: 1);
        Weight weight = tensors.Backend.AllocateWeight(10, 8, DType.Float32);

        Assert.Throws<ArgumentOutOfRangeException>(
            () => tensors.Backend.UploadRows(weight, firstRow, new byte[count * 8 * sizeof(float)], DType.Float32));
        Assert.Throws<ArgumentException>(() => tensors.Backend.UploadRows(weight, 0, new byte[7], DType.Float32));
    }

    private static float[] RandomValues(int count, DType type)
    {
        Random random = new(8);
        return [.. Enumerable.Range(0, count).Select(_ => TestTensors.Round((random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(-6, 4)), type))];
    }

    private static byte[] Encode(ReadOnlySpan<float> values, DType type)
    {
        byte[] bytes = new byte[values.Length * type.SizeBytes()];
        for (int i = 0; i < values.Length; i++)
        {
            Span<byte> target = bytes.AsSpan(i * type.SizeBytes());
            switch (type)
            {
                case DType.Float32:
                    MemoryMarshal.Write(target, values[i]);
                    break;
                case DType.Float16:
                    MemoryMarshal.Write(target, (Half)values[i]);
                    break;
                default:
                    MemoryMarshal.Write(target, (BFloat16)values[i]);
                    break;
            }
        }

        return bytes;
    }
}
