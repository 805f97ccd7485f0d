using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>Blocks go to the host and come back elsewhere with every byte, and nothing else is touched.</summary>
[Collection(Gpu.Collection)]
public sealed class CopyBlocksTests
{
    private const int BlockCount = 8;

    [Theory]
    [InlineData(DType.Float32, 16, 8, 128, 128, false)]
    [InlineData(DType.BFloat16, 16, 1, 80, 80, false)]
    [InlineData(DType.Float16, 4, 5, 24, 40, false)]
    [InlineData(DType.BFloat16, 32, 2, 64, 64, false)]
    [InlineData(DType.BFloat16, 16, 1, 576, 512, true)]
    public void CopyBlocks_Cpu_MovesWholeBlocks(DType type, int blockSize, int heads, int keyDim, int valueDim, bool valuesInKeys)
    {
        using var backend = new CpuBackend(2);
        MovesWholeBlocks(backend, type, blockSize, heads, keyDim, valueDim, valuesInKeys);
    }

    [Theory]
    [InlineData(DType.BFloat16, 16, 8, 128, 128)]
    [InlineData(DType.BFloat16, 16, 1, 80, 48)]
    [InlineData(DType.Float8E4M3, 16, 5, 8, 24)]
    [InlineData(DType.Float8E4M3, 32, 8, 128, 128)]
    public void CopyBlocks_Cuda_MovesWholeBlocks(DType type, int blockSize, int heads, int keyDim, int valueDim)
    {
        using var backend = Gpu.Open();
        MovesWholeBlocks(backend, type, blockSize, heads, keyDim, valueDim);
    }

    [Fact]
    public void CopyBlocks_BlockBeyondTheCache_IsRefused()
    {
        using var backend = new CpuBackend(1);
        KvLayer layer = backend.AllocateKvLayer(2, 16, 1, 16, 16, DType.Float32);
        using HostBuffer host = backend.AllocateHost(layer.BlockBytes);
        Tensor table = Upload(backend, [new LayerAddress(layer.Keys, layer.Values)], LayerAddress.Words);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => backend.CopyBlocks(layer, table, Copies(backend, host, layer.BlockBytes, (2, 0)), toHost: true));
    }

    private static void MovesWholeBlocks(
        IBackend backend, DType type, int blockSize, int heads, int keyDim, int valueDim, bool valuesInKeys = false)
    {
        var random = new Random(7);
        var layers = new KvLayer[3];
        var before = new (int[] Keys, int[] Values)[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            KvLayer layer = layers[i] = backend.AllocateKvLayer(BlockCount, blockSize, heads, keyDim, valueDim, type, valuesInKeys);
            before[i] = (Fill(backend, Keys(layer), random), Fill(backend, Values(layer), random));
        }

        long placeBytes = layers[0].BlockBytes * layers.Length;
        using HostBuffer host = backend.AllocateHost(placeBytes * 2);
        Tensor table = Upload(backend, layers.Select(layer => new LayerAddress(layer.Keys, layer.Values)).ToArray(), LayerAddress.Words);
        backend.CopyBlocks(layers[0], table, Copies(backend, host, placeBytes, (5, 0), (2, 1)), toHost: true);
        foreach (KvLayer layer in layers)
        {
            Fill(backend, Keys(layer).SliceRows(2, 1), random);
            Fill(backend, Values(layer).SliceRows(5, 1), random);
        }

        backend.CopyBlocks(layers[0], table, Copies(backend, host, placeBytes, (0, 0), (2, 1), (5, 0)), toHost: false);
        for (int i = 0; i < layers.Length; i++)
        {
            Expect(before[i].Keys, Read(backend, Keys(layers[i])), $"keys of layer {i}");
            Expect(before[i].Values, Read(backend, Values(layers[i])), $"values of layer {i}");
        }
    }

    /// <summary>Block 0 is what block 5 was; all others are as they were.</summary>
    private static void Expect(int[] before, int[] after, string what)
    {
        int words = before.Length / BlockCount;
        for (int block = 0; block < BlockCount; block++)
        {
            int source = block == 0 ? 5 : block;
            Assert.True(
                before.AsSpan(source * words, words).SequenceEqual(after.AsSpan(block * words, words)), $"{what}, block {block}");
        }
    }

    private static Tensor Keys(KvLayer layer) => new(layer.Keys, DType.Int32, BlockCount, checked((int)(layer.KeyBlockBytes / sizeof(int))));

    private static Tensor Values(KvLayer layer) => new(layer.Values, DType.Int32, BlockCount, checked((int)(layer.ValueBlockBytes / sizeof(int))));

    private static int[] Fill(IBackend backend, Tensor words, Random random)
    {
        int[] values = new int[words.Rows * words.Columns];
        random.NextBytes(MemoryMarshal.AsBytes(values.AsSpan()));
        backend.Upload<int>(words, values);
        return values;
    }

    private static int[] Read(IBackend backend, Tensor words)
    {
        int[] values = new int[words.Rows * words.Columns];
        backend.Download<int>(words, values);
        return values;
    }

    private static Tensor Copies(IBackend backend, HostBuffer host, long placeBytes, params (int Block, int Place)[] pairs) =>
        Upload(backend, pairs.Select(pair => new BlockCopy(pair.Block, host.Address + (nint)(pair.Place * placeBytes))).ToArray(), BlockCopy.Words);

    private static Tensor Upload<T>(IBackend backend, T[] rows, int words)
        where T : unmanaged
    {
        Tensor tensor = backend.Allocate(rows.Length, words, DType.Int32);
        backend.Upload<int>(tensor, MemoryMarshal.Cast<T, int>(rows));
        return tensor;
    }
}
