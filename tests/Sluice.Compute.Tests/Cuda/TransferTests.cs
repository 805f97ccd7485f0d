using System.Runtime.InteropServices;
using Sluice.Compute.Cuda;
using Sluice.Compute.Ops;

namespace Sluice.Compute.Tests.Cuda;

[Collection(Gpu.Collection)]
public sealed unsafe class TransferTests
{
    [Fact]
    public void Upload_SpanOverwrittenAtOnce_CopiesWhatItHeld()
    {
        using CudaBackend backend = Gpu.Open();
        int[] sizes = [1, 3, 1000, 100_000, (UploadRing.SegmentBytes / 4) - 1, UploadRing.SegmentBytes / 4, (UploadRing.SegmentBytes / 4) + 7, 5_000_000];
        List<(Tensor Tensor, int Seed)> uploaded = [];
        int[] values = new int[sizes.Max()];
        for (int seed = 0; seed < 40; seed++)
        {
            int size = sizes[seed % sizes.Length];
            Tensor tensor = backend.Allocate(1, size, DType.Int32);
            Fill(values.AsSpan(0, size), seed);
            backend.Upload<int>(tensor, values.AsSpan(0, size));
            uploaded.Add((tensor, seed));
        }

        foreach ((Tensor tensor, int seed) in uploaded)
        {
            int[] expected = new int[tensor.Columns];
            int[] actual = new int[tensor.Columns];
            Fill(expected, seed);
            backend.Download<int>(tensor, actual);
            Assert.True(expected.AsSpan().SequenceEqual(actual), $"upload {seed}");
        }
    }

    [Fact]
    public void Upload_WhileTheDeviceIsBusy_DoesNotWait()
    {
        using CudaBackend backend = Gpu.Open();
        const int Size = 8192;
        Weight weight = backend.AllocateWeight(Size, Size, DType.BFloat16);
        Tensor input = backend.Allocate(Size, Size, DType.BFloat16);
        Tensor output = backend.Allocate(Size, Size, DType.BFloat16);
        Tensor integers = backend.Allocate(1, 1000, DType.Int32);
        using Fence fence = backend.CreateFence();
        backend.Linear(output, input, weight, null);
        backend.Synchronize();

        // More than 1.1 TFLOP each: at least 50 ms in all on any GPU of today.
        for (int i = 0; i < 50; i++)
        {
            backend.Linear(output, input, weight, null);
        }

        fence.Record();
        for (int i = 0; i < 100; i++)
        {
            backend.Upload<int>(integers, new int[1000]);
        }

        Assert.False(fence.IsReached);
        fence.Wait();
        Assert.True(fence.IsReached);
    }

    [Fact]
    public void UploadAsync_StridedRows_LeavesTheGaps()
    {
        using CudaBackend backend = Gpu.Open();
        Tensor whole = backend.Allocate(3, 6, DType.Int32);
        backend.Upload<int>(whole, [.. Enumerable.Repeat(-1, 18)]);
        using HostBuffer buffer = backend.AllocateHost(64);
        Assert.Equal(-1, buffer.Span<byte>(0, 64).IndexOfAnyExcept((byte)0));
        for (int i = 0; i < 12; i++)
        {
            buffer.Span<int>(16, 12)[i] = i;
        }

        backend.UploadAsync(whole.SliceColumns(0, 4), buffer, 16);

        int[] read = new int[18];
        backend.Download<int>(whole, read);
        Assert.Equal([0, 1, 2, 3, -1, -1, 4, 5, 6, 7, -1, -1, 8, 9, 10, 11, -1, -1], read);
    }

    [Fact]
    public void DownloadAsync_WaitedForOnAnotherThread_IsThere()
    {
        using CudaBackend backend = Gpu.Open();
        Tensor tensor = backend.Allocate(1, 4, DType.Int32);
        using HostBuffer buffer = backend.AllocateHost(32);
        using Fence fence = backend.CreateFence();
        Assert.True(fence.IsReached);
        for (int i = 0; i < 100; i++)
        {
            backend.Upload<int>(tensor, [i, i + 1, i + 2, i + 3]);
            backend.DownloadAsync(tensor, buffer, 8);
            fence.Record();
            Thread waiter = new(fence.Wait);
            waiter.Start();
            waiter.Join();
            Assert.Equal([0, 0, i, i + 1, i + 2, i + 3, 0, 0], buffer.Span<int>(0, 8).ToArray());
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => backend.DownloadAsync(tensor, buffer, 20));
    }

    [Theory]
    [InlineData(DType.BFloat16, DType.BFloat16, false)]
    [InlineData(DType.BFloat16, DType.BFloat16, true)]
    [InlineData(DType.Float32, DType.BFloat16, false)]
    [InlineData(DType.Float16, DType.BFloat16, true)]
    [InlineData(DType.BFloat16, DType.Float16, false)]
    [InlineData(DType.Float32, DType.Float16, true)]
    public void UploadRows_ManyThreadsAndParts_StoresEveryRowConverted(DType sourceType, DType activationType, bool pinned)
    {
        using CudaBackend backend = Gpu.Open(activationType);
        const int Rows = 1999;
        const int Columns = 2561;
        Weight weight = backend.AllocateWeight(Rows, Columns, sourceType);
        Assert.Equal(activationType, weight.Type);
        int rowBytes = Columns * sourceType.SizeBytes();
        using HostBuffer buffer = backend.AllocateHost((long)Rows * rowBytes);
        Span<byte> source = buffer.Span<byte>(0, Rows * rowBytes);
        FillFloats(source, sourceType);
        byte[] expected = new byte[Rows * Columns * 2];
        fixed (byte* from = source)
        fixed (byte* to = expected)
        {
            Elements.Convert(from, sourceType, to, activationType, Rows * Columns);
        }

        // Rows of uneven parts, some of them larger than a staging buffer, from eight threads.
        int[] starts = [.. Enumerable.Range(0, 41).Select(i => Math.Min(Rows, i * i * Rows / 1600))];
        byte[] unpinned = source.ToArray();
        Parallel.For(0, 40, new ParallelOptions { MaxDegreeOfParallelism = 8 }, part =>
        {
            int start = starts[part] * rowBytes;
            int length = (starts[part + 1] - starts[part]) * rowBytes;
            ReadOnlySpan<byte> rows = pinned ? buffer.Span<byte>(start, length) : unpinned.AsSpan(start, length);
            backend.UploadRows(weight, starts[part], rows, sourceType);
        });

        byte[] actual = new byte[expected.Length];
        backend.Download<byte>(new Tensor(weight.Address, DType.Float8E4M3, 1, actual.Length), actual);
        Assert.True(expected.AsSpan().SequenceEqual(actual));
    }

    [Fact]
    public void UploadRows_ValueBeyondFloat16_NamesTheRow()
    {
        using CudaBackend backend = Gpu.Open(DType.Float16);
        Weight weight = backend.AllocateWeight(5, 100, DType.BFloat16);
        float[] values = new float[300];
        values[217] = 70000;

        InvalidDataException error = Assert.Throws<InvalidDataException>(
            () => backend.UploadRows(weight, 1, MemoryMarshal.AsBytes<float>(values), DType.Float32));

        Assert.Contains("Row 3 ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void UploadRows_MoreRowsThanTheWeightHas_Throws()
    {
        using CudaBackend backend = Gpu.Open();
        Weight weight = backend.AllocateWeight(4, 8, DType.BFloat16);

        Assert.Throws<ArgumentException>(() => backend.UploadRows(weight, 3, new byte[32], DType.BFloat16));
        Assert.Throws<ArgumentException>(() => backend.UploadRows(weight, 0, new byte[15], DType.BFloat16));
    }

    private static void Fill(Span<int> values, int seed)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (i * 31) ^ (seed << 20);
        }
    }

    private static void FillFloats(Span<byte> bytes, DType type)
    {
        Random random = new(5);
        int elementBytes = type.SizeBytes();
        for (int i = 0; i < bytes.Length; i += elementBytes)
        {
            float value = (random.NextSingle() * 2) - 1;
            fixed (byte* element = bytes[i..])
            {
                Elements.Narrow(value, element, type);
            }
        }
    }
}
