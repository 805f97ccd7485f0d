using Sluice.Compute.Cpu;

namespace Sluice.Compute.Tests.Cpu;

public sealed unsafe class CpuBackendTests
{
    [Theory]
    [InlineData(3, 5)]
    [InlineData(1024, 1024)]
    public void Allocate_AnySize_IsZeroedAndAligned(int rows, int columns)
    {
        using CpuBackend backend = new(1);
        for (int round = 0; round < 3; round++)
        {
            Tensor tensor = backend.Allocate(rows, columns, DType.Float32);
            Assert.Equal(0, tensor.Address % 64);
            for (int row = 0; row < rows; row++)
            {
                Assert.True(TestTensors.Row(tensor, row).IndexOfAnyExcept(0f) < 0);
                TestTensors.Row(tensor, row).Fill(1);
            }

            backend.Free(tensor);
        }
    }

    [Fact]
    public void Allocate_MoreThanTheMachineHas_SaysSo()
    {
        using CpuBackend backend = new(1);

        InsufficientMemoryException error = Assert.Throws<InsufficientMemoryException>(
            () => backend.AllocateKvLayer(int.MaxValue, 16, 64, 256, 256, DType.Float32));

        Assert.Contains("GiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Free_Twice_Throws()
    {
        using CpuBackend backend = new(1);
        Tensor tensor = backend.Allocate(2, 2, DType.Float32);
        backend.Free(tensor);

        Assert.Throws<ArgumentException>(() => backend.Free(tensor));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(24)]
    public void AllocateKvLayer_UnsupportedBlockSize_Throws(int blockSize)
    {
        using CpuBackend backend = new(1);

        Assert.Throws<ArgumentOutOfRangeException>(() => backend.AllocateKvLayer(2, blockSize, 1, 8, 8, DType.Float32));
    }

    [Fact]
    public void DownloadAsync_BetweenOtherBytes_CopiesTheTensor()
    {
        using TestTensors tensors = new(seed: 1);
        Tensor source = tensors.Random(2, 3);
        using HostBuffer buffer = tensors.Backend.AllocateHost(64);
        buffer.Span<byte>(0, 64).Fill(0xAB);
        using Fence fence = tensors.Backend.CreateFence();

        tensors.Backend.DownloadAsync(source, buffer, 8);
        fence.Record();
        fence.Wait();

        Assert.True(fence.IsReached);
        TestTensors.AssertSameBits(new Span<float>((void*)source.Address, 6), buffer.Span<float>(8, 6));
        Assert.Equal(-1, buffer.Span<byte>(0, 8).IndexOfAnyExcept((byte)0xAB));
        Assert.Equal(-1, buffer.Span<byte>(32, 32).IndexOfAnyExcept((byte)0xAB));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensors.Backend.DownloadAsync(source, buffer, 44));
    }

    [Fact]
    public void UploadAsync_StridedRows_LeavesTheGaps()
    {
        using TestTensors tensors = new(seed: 2);
        Tensor destination = tensors.Random(3, 4, gap: 2);
        Tensor before = tensors.Copy(destination with { Columns = 6 });
        using HostBuffer buffer = tensors.Backend.AllocateHost(64);
        for (int i = 0; i < 12; i++)
        {
            buffer.Span<float>(16, 12)[i] = i;
        }

        tensors.Backend.UploadAsync(destination, buffer, 16);

        for (int row = 0; row < 3; row++)
        {
            TestTensors.AssertSameBits(buffer.Span<float>(16 + (row * 16), 4), TestTensors.Row(destination, row), row);
        }

        TestTensors.AssertSameBits(TestTensors.Row(before, 1)[4..], TestTensors.Row(destination with { Columns = 6 }, 1)[4..]);
    }

    [Fact]
    public void AllocateKvLayer_Float8_SaysWhatToUse()
    {
        using CpuBackend backend = new(1);

        NotSupportedException error = Assert.Throws<NotSupportedException>(
            () => backend.AllocateKvLayer(2, 16, 1, 8, 8, DType.Float8E4M3));

        Assert.Contains("bfloat16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Operations_WrongShapes_Throw()
    {
        using TestTensors tensors = new(seed: 1);
        CpuBackend backend = tensors.Backend;
        Tensor four = tensors.Random(2, 4);
        Tensor five = tensors.Random(2, 5);
        Tensor ids = tensors.Integers(0, 1);
        (Weight weight, _) = tensors.RandomWeight(4, 4, DType.Float32);
        KvLayer layer = backend.AllocateKvLayer(1, 16, 1, 4, 4, DType.Float32);
        RotaryTable table = new(four, four, 8);

        Assert.Throws<ArgumentException>(() => backend.Linear(five, four, weight, null));
        Assert.Throws<ArgumentException>(() => backend.Linear(four, five, weight, null));
        Assert.Throws<ArgumentException>(() => backend.Linear(four, four, weight, five));
        Assert.Throws<ArgumentException>(() => backend.RmsNorm(four, five, five, 1, 0));
        Assert.Throws<ArgumentException>(() => backend.AddRmsNorm(four, four, five, four, 1, 0));
        Assert.Throws<ArgumentException>(() => backend.Add(four, five));
        Assert.Throws<ArgumentException>(() => backend.GatedActivation(four, five, Activation.Silu));
        Assert.Throws<ArgumentException>(() => backend.Embedding(five, weight, ids, 1));
        Assert.Throws<ArgumentException>(() => backend.GatherRows(four, five, ids));
        Assert.Throws<ArgumentException>(() => backend.RotateAndWriteKv(four, four, four, ids, table, layer, ids));
        Assert.Throws<ArgumentException>(() => backend.RotateAndWriteKv(four, five, four, ids, default, layer, ids));
        Assert.Throws<ArgumentException>(() => backend.RotateAndWriteKv(five, four, four, ids, default, layer, ids));
    }

    [Fact]
    public void Memory_Always_IsPlausible()
    {
        using CpuBackend backend = new(1);

        (long total, long available) = backend.Memory;

        Assert.InRange(available, 1, total);
    }

    [Fact]
    public void UploadAndDownload_Integers_RoundTrip()
    {
        using CpuBackend backend = new(1);
        Tensor tensor = backend.Allocate(2, 3, DType.Int32);
        int[] values = [1, 2, 3, 4, 5, 6];
        int[] result = new int[6];

        backend.Upload<int>(tensor, values);
        backend.Download(tensor, result);

        Assert.Equal(values, result);
        Assert.Throws<ArgumentException>(() => backend.Upload<int>(tensor.SliceColumns(0, 2), [1, 2, 3, 4]));
        Assert.Throws<ArgumentException>(() => backend.Upload<byte>(tensor, [1]));
    }
}
