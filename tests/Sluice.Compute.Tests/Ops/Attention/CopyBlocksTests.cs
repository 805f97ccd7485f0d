using System.Runtime.InteropServices;
using Sluice.Compute.Cpu;

namespace Sluice.Compute.Tests.Ops.Attention;

/// <summary>Blocks go to the host and come back elsewhere with every byte, and nothing else is touched.</summary>
public sealed unsafe class CopyBlocksTests
{
    [Theory]
    [InlineData(DType.Float32, 16, 8, 128, 128)]
    [InlineData(DType.BFloat16, 16, 1, 80, 80)]
    [InlineData(DType.Float16, 4, 5, 24, 40)]
    [InlineData(DType.BFloat16, 32, 2, 64, 64)]
    public void CopyBlocks_OutAndBackElsewhere_MovesWholeBlocks(DType type, int blockSize, int heads, int keyDim, int valueDim)
    {
        using var backend = new CpuBackend(2);
        var random = new Random(7);
        var layers = new KvLayer[3];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i] = backend.AllocateKvLayer(8, blockSize, heads, keyDim, valueDim, type);
            random.NextBytes(Keys(layers[i], 0, 8));
            random.NextBytes(Values(layers[i], 0, 8));
        }

        byte[][] before = [.. layers.SelectMany(layer => new[] { Keys(layer, 0, 8).ToArray(), Values(layer, 0, 8).ToArray() })];
        long hostBytes = layers[0].BlockBytes * layers.Length;
        using HostBuffer host = backend.AllocateHost(hostBytes * 2);
        Tensor table = Upload(backend, layers.Select(layer => new LayerAddress(layer.Keys, layer.Values)).ToArray(), LayerAddress.Words);
        backend.CopyBlocks(layers[0], table, Copies(backend, host, hostBytes, (5, 0), (2, 1)), toHost: true);
        foreach (KvLayer layer in layers)
        {
            Keys(layer, 2, 1).Clear();
            Values(layer, 5, 1).Clear();
        }

        backend.CopyBlocks(layers[0], table, Copies(backend, host, hostBytes, (0, 0), (2, 1), (5, 0)), toHost: false);
        for (int i = 0; i < layers.Length; i++)
        {
            for (int block = 0; block < 8; block++)
            {
                int source = block == 0 ? 5 : block;
                Assert.True(Part(before[2 * i], layers[i].KeyBlockBytes, source).SequenceEqual(Keys(layers[i], block, 1)), $"keys of layer {i}, block {block}");
                Assert.True(Part(before[(2 * i) + 1], layers[i].ValueBlockBytes, source).SequenceEqual(Values(layers[i], block, 1)), $"values of layer {i}, block {block}");
            }
        }
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

    private static Tensor Copies(CpuBackend backend, HostBuffer host, long hostBytes, params (int Block, int Place)[] pairs) =>
        Upload(backend, pairs.Select(pair => new BlockCopy(pair.Block, host.Address + (nint)(pair.Place * hostBytes))).ToArray(), BlockCopy.Words);

    private static Tensor Upload<T>(CpuBackend backend, T[] rows, int words)
        where T : unmanaged
    {
        Tensor tensor = backend.Allocate(rows.Length, words, DType.Int32);
        backend.Upload<int>(tensor, MemoryMarshal.Cast<T, int>(rows));
        return tensor;
    }

    private static Span<byte> Keys(KvLayer layer, int block, int count) =>
        new((byte*)layer.Keys + (block * layer.KeyBlockBytes), checked((int)(count * layer.KeyBlockBytes)));

    private static Span<byte> Values(KvLayer layer, int block, int count) =>
        new((byte*)layer.Values + (block * layer.ValueBlockBytes), checked((int)(count * layer.ValueBlockBytes)));

    private static ReadOnlySpan<byte> Part(byte[] bytes, long blockBytes, int block) =>
        bytes.AsSpan(checked((int)(block * blockBytes)), checked((int)blockBytes));
}
