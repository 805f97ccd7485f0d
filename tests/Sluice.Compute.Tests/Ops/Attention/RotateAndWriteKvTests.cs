using Sluice.Compute.Ops.Attention;

namespace Sluice.Compute.Tests.Ops.Attention;

public sealed unsafe class RotateAndWriteKvTests
{
    private const double DefinitionTolerance = 1e-6;

    [Theory]
    [InlineData(DType.Float32, 16, 1, 8, 8, 8, false)]
    [InlineData(DType.Float32, 4, 2, 10, 7, 6, false)]
    [InlineData(DType.Float32, 16, 2, 64, 64, 64, false)]
    [InlineData(DType.BFloat16, 16, 3, 80, 80, 32, false)]
    [InlineData(DType.BFloat16, 16, 5, 72, 33, 0, false)]
    [InlineData(DType.Float16, 1, 1, 9, 16, 4, false)]
    [InlineData(DType.Float16, 48, 4, 128, 128, 128, false)]
    [InlineData(DType.BFloat16, 16, 4, 128, 128, 128, true)]
    [InlineData(DType.Float32, 16, 2, 37, 16, 8, true)]
    [InlineData(DType.Float32, 16, 2, 80, 64, 16, false, 64, true, true)]
    [InlineData(DType.BFloat16, 16, 4, 576, 512, 64, false, 512, true, true)]
    [InlineData(DType.Float16, 8, 2, 48, 48, 22, true, 20, true, false)]
    [InlineData(DType.Float32, 16, 2, 48, 40, 22, false, 21, false, false)]
    public void RotateAndWriteKv_AnyShape_HasTheBytesOfTheReference(
        DType type,
        int blockSize,
        int queryHeads,
        int keyDim,
        int valueDim,
        int rotaryDim,
        bool isNormed,
        int firstElement = 0,
        bool isInterleaved = false,
        bool valuesInKeys = false)
    {
        const int Heads = 3;
        const int Blocks = 9;
        using TestTensors tensors = new(seed: keyDim);
        int tokens = Math.Min(Blocks * blockSize, 100);
        Tensor queries = tensors.Random(tokens, queryHeads * keyDim, gap: 16);
        Tensor keys = tensors.Random(tokens, Heads * keyDim, gap: 8, scale: 5);
        Tensor values = tensors.Random(tokens, Heads * valueDim, gap: 8, scale: 5).SliceColumns(0, valuesInKeys ? 0 : Heads * valueDim);
        Tensor expectedQueries = tensors.Copy(queries);
        Tensor expectedKeys = tensors.Copy(keys);
        RotaryTable table = new(tensors.Random(40, Math.Max(rotaryDim / 2, 1)), tensors.Random(40, Math.Max(rotaryDim / 2, 1)), rotaryDim)
        {
            FirstElement = firstElement,
            IsInterleaved = isInterleaved,
        };
        HeadNorms? norms = isNormed ? new HeadNorms(tensors.Random(1, keyDim), tensors.Random(1, keyDim), 1e-6f, 1) : null;
        Tensor positions = tensors.Integers([.. Enumerable.Range(0, tokens).Select(row => (row * 7) % 40)]);
        int[] slots = [.. Enumerable.Range(0, Blocks * blockSize)];
        new Random(1).Shuffle(slots);
        Tensor chosen = tensors.Integers(slots[..tokens]);
        KvLayer expected = tensors.Backend.AllocateKvLayer(Blocks, blockSize, Heads, keyDim, valueDim, type, valuesInKeys);
        KvLayer actual = tensors.Backend.AllocateKvLayer(Blocks, blockSize, Heads, keyDim, valueDim, type, valuesInKeys);

        RotateAndWriteKvReference.Run(expectedQueries, expectedKeys, values, positions, table, expected, chosen, norms);
        tensors.Backend.RotateAndWriteKv(queries, keys, values, positions, table, actual, chosen, norms);

        TestTensors.AssertSameBits(expectedQueries, queries);
        KvLayout layout = new(expected);
        Assert.True(Bytes(expected.Keys, layout.KeyBlockBytes * Blocks).SequenceEqual(Bytes(actual.Keys, layout.KeyBlockBytes * Blocks)));
        Assert.True(Bytes(expected.Values, layout.ValueBlockBytes * Blocks).SequenceEqual(Bytes(actual.Values, layout.ValueBlockBytes * Blocks)));
    }

    [Fact]
    public void Reference_OneHead_TurnsPairsOfBothHalvesAndStoresTheKeyTurned()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor queries = tensors.Random(1, 6);
        float[] before = TestTensors.Row(queries, 0).ToArray();
        Tensor cosines = tensors.Random(3, 2);
        Tensor sines = tensors.Random(3, 2);
        KvLayer layer = tensors.Backend.AllocateKvLayer(1, 16, 1, 6, 6, DType.Float32);

        RotateAndWriteKvReference.Run(
            queries, tensors.Copy(queries), tensors.Copy(queries), tensors.Integers(2), new RotaryTable(cosines, sines, 4), layer, tensors.Integers(5));

        Span<float> after = TestTensors.Row(queries, 0);
        for (int i = 0; i < 2; i++)
        {
            double cosine = TestTensors.Row(cosines, 2)[i];
            double sine = TestTensors.Row(sines, 2)[i];
            Assert.Equal((before[i] * cosine) - (before[i + 2] * sine), after[i], DefinitionTolerance);
            Assert.Equal((before[i + 2] * cosine) + (before[i] * sine), after[i + 2], DefinitionTolerance);
        }

        Assert.Equal(before[4..], after[4..].ToArray());
        KvLayout layout = new(layer);
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal(after[i], *(float*)layout.KeyElement(0, 0, 5, i));
            Assert.Equal(before[i], *(float*)layout.ValueElement(0, 0, 5, i));
        }
    }

    [Fact]
    public void Reference_NeighboursOfTheTail_TurnAndValuesAreTheHeadOfTheKey()
    {
        using TestTensors tensors = new(seed: 4);
        Tensor keys = tensors.Random(1, 20);
        float[] before = TestTensors.Row(keys, 0).ToArray();
        RotaryTable table = new(tensors.Random(2, 2), tensors.Random(2, 2), 4) { FirstElement = 16, IsInterleaved = true };
        KvLayer layer = tensors.Backend.AllocateKvLayer(1, 16, 1, 20, 16, DType.Float32, valuesInKeys: true);

        RotateAndWriteKvReference.Run(
            keys.SliceColumns(0, 0), keys, keys.SliceColumns(0, 0), tensors.Integers(1), table, layer, tensors.Integers(5));

        KvLayout layout = new(layer);
        for (int i = 0; i < 2; i++)
        {
            double cosine = TestTensors.Row(table.Cosines, 1)[i];
            double sine = TestTensors.Row(table.Sines, 1)[i];
            int first = 16 + (2 * i);
            Assert.Equal((before[first] * cosine) - (before[first + 1] * sine), *(float*)layout.KeyElement(0, 0, 5, first), DefinitionTolerance);
            Assert.Equal((before[first + 1] * cosine) + (before[first] * sine), *(float*)layout.KeyElement(0, 0, 5, first + 1), DefinitionTolerance);
        }

        for (int i = 0; i < 16; i++)
        {
            Assert.Equal(before[i], *(float*)layout.KeyElement(0, 0, 5, i));
            Assert.Equal(before[i], *(float*)layout.ValueElement(0, 0, 5, i));
        }

        Assert.Equal(0, layer.ValueBlockBytes);
    }

    [Fact]
    public void RotateAndWriteKv_PositionBeyondTheTable_Throws()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor heads = tensors.Random(1, 8);
        RotaryTable table = new(tensors.Random(4, 4), tensors.Random(4, 4), 8);
        KvLayer layer = tensors.Backend.AllocateKvLayer(1, 16, 1, 8, 8, DType.Float32);

        Assert.Throws<ArgumentOutOfRangeException>(
            () => tensors.Backend.RotateAndWriteKv(heads, heads, heads, tensors.Integers(4), table, layer, tensors.Integers(0)));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(32)]
    public void RotateAndWriteKv_SlotOutsideTheCache_Throws(int slot)
    {
        using TestTensors tensors = new(seed: 1);
        KvLayer layer = tensors.Backend.AllocateKvLayer(2, 16, 1, 8, 8, DType.Float32);
        Tensor keys = tensors.Random(1, 8);
        Tensor slots = tensors.Integers(slot);

        Assert.Throws<ArgumentOutOfRangeException>(() => tensors.Backend.RotateAndWriteKv(keys, keys, keys, slots, default, layer, slots));
    }

    private static ReadOnlySpan<byte> Bytes(nint address, long count) => new((void*)address, checked((int)count));
}
