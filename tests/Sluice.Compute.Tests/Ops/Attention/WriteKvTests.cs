using Sluice.Compute.Ops.Attention;

namespace Sluice.Compute.Tests.Ops.Attention;

public sealed unsafe class WriteKvTests
{
    [Theory]
    [InlineData(DType.Float32, 16, 64, 64)]
    [InlineData(DType.Float32, 4, 10, 7)]
    [InlineData(DType.BFloat16, 16, 72, 33)]
    [InlineData(DType.Float16, 1, 9, 16)]
    [InlineData(DType.Float16, 48, 128, 128)]
    public void WriteKv_AnyShape_HasTheBytesOfTheReference(DType type, int blockSize, int keyDim, int valueDim)
    {
        const int Heads = 3;
        const int Blocks = 9;
        using TestTensors tensors = new(seed: keyDim);
        int tokens = Math.Min(Blocks * blockSize, 100);
        Tensor keys = tensors.Random(tokens, Heads * keyDim, gap: 8, scale: 5);
        Tensor values = tensors.Random(tokens, Heads * valueDim, gap: 8, scale: 5);
        int[] slots = [.. Enumerable.Range(0, Blocks * blockSize)];
        new Random(1).Shuffle(slots);
        Tensor chosen = tensors.Integers(slots[..tokens]);
        KvLayer expected = tensors.Backend.AllocateKvLayer(Blocks, blockSize, Heads, keyDim, valueDim, type);
        KvLayer actual = tensors.Backend.AllocateKvLayer(Blocks, blockSize, Heads, keyDim, valueDim, type);

        WriteKvReference.Run(expected, keys, values, chosen);
        tensors.Backend.WriteKv(actual, keys, values, chosen);

        KvLayout layout = new(expected);
        Assert.True(Bytes(expected.Keys, layout.KeyBlockBytes * Blocks).SequenceEqual(Bytes(actual.Keys, layout.KeyBlockBytes * Blocks)));
        Assert.True(Bytes(expected.Values, layout.ValueBlockBytes * Blocks).SequenceEqual(Bytes(actual.Values, layout.ValueBlockBytes * Blocks)));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(32)]
    public void WriteKv_SlotOutsideTheCache_Throws(int slot)
    {
        using TestTensors tensors = new(seed: 1);
        KvLayer layer = tensors.Backend.AllocateKvLayer(2, 16, 1, 8, 8, DType.Float32);
        Tensor keys = tensors.Random(1, 8);
        Tensor slots = tensors.Integers(slot);

        Assert.Throws<ArgumentOutOfRangeException>(() => tensors.Backend.WriteKv(layer, keys, keys, slots));
    }

    private static ReadOnlySpan<byte> Bytes(nint address, long count) => new((void*)address, checked((int)count));
}
