using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

[Collection(Gpu.Collection)]
public sealed class DeviceMemoryTests
{
    [Fact]
    public void Allocate_AfterOtherUse_IsZeroed()
    {
        using CudaBackend backend = Gpu.Open();
        for (int round = 0; round < 3; round++)
        {
            Tensor tensor = backend.Allocate(1000, 1000, DType.Float32);
            Assert.Equal(0, tensor.Address % 256);
            Assert.Equal(-1, Gpu.Read(backend, tensor).AsSpan().IndexOfAnyExcept(0f));
            Gpu.Poison(backend, tensor);
            backend.Free(tensor);
        }
    }

    [Fact]
    public void Allocate_EachKind_IsAccounted()
    {
        using CudaBackend backend = Gpu.Open();
        DeviceMemory memory = backend.Context.Memory;
        long tensorsBefore = memory.BytesOf(MemoryKind.Tensors);

        Tensor tensor = backend.Allocate(3, 5, DType.Float32);
        backend.AllocateWeight(7, 11, DType.Float32);
        backend.AllocateKvLayer(2, 16, 3, 8, 4, DType.Float8E4M3);

        Assert.Equal(tensorsBefore + 60, memory.BytesOf(MemoryKind.Tensors));
        Assert.Equal(7 * 11 * 2, memory.BytesOf(MemoryKind.Weights));
        Assert.Equal(2 * 16 * 3 * (8 + 4), memory.BytesOf(MemoryKind.KvCache));
        backend.Free(tensor);
        Assert.Equal(tensorsBefore, memory.BytesOf(MemoryKind.Tensors));
        Assert.Throws<ArgumentException>(() => backend.Free(tensor));
    }

    [Fact]
    public void Allocate_MoreThanTheGpuHas_SaysHowMuchForWhatAndWhatIsFree()
    {
        using CudaBackend backend = Gpu.Open();

        InsufficientMemoryException error = Assert.Throws<InsufficientMemoryException>(
            () => backend.AllocateKvLayer(1 << 22, 16, 64, 256, 256, DType.BFloat16));

        Assert.Contains("2048.00 GiB", error.Message, StringComparison.Ordinal);
        Assert.Contains("the keys of 4194304 cache blocks", error.Message, StringComparison.Ordinal);
        Assert.Contains("is free on", error.Message, StringComparison.Ordinal);

        // Nothing is broken by that.
        Tensor tensor = backend.Allocate(1, 4, DType.Int32);
        backend.Upload<int>(tensor, [1, 2, 3, 4]);
        int[] read = new int[4];
        backend.Download<int>(tensor, read);
        Assert.Equal([1, 2, 3, 4], read);
    }

    [Fact]
    public void Memory_AfterAllocation_ShowsLess()
    {
        using CudaBackend backend = Gpu.Open();
        (long total, long before) = backend.Memory;
        backend.Allocate(1 << 14, 1 << 14, DType.Float32);
        (_, long after) = backend.Memory;

        Assert.InRange(before, 1, total);

        // Other programs may use the GPU, but not to free memory in this very moment.
        Assert.True(after <= before - (1L << 30) + (64 << 20));
    }

    [Fact]
    public void AllocateKvLayer_WhatKernelsCannotRead_Throws()
    {
        using CudaBackend backend = Gpu.Open();

        Assert.Throws<ArgumentOutOfRangeException>(() => backend.AllocateKvLayer(2, 8, 1, 64, 64, DType.BFloat16));
        Assert.Throws<NotSupportedException>(() => backend.AllocateKvLayer(2, 16, 1, 64, 64, DType.Float32));
    }
}
