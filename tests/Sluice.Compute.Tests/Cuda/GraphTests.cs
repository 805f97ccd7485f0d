using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

[Collection(Gpu.Collection)]
public sealed class GraphTests
{
    [Fact]
    public void Launch_WithNewInputs_ComputesWhatEagerDoes()
    {
        using CudaBackend backend = Gpu.Open();
        Random random = new(3);
        const int Rows = 5;
        const int Size = 256;
        Weight first = RandomWeight(backend, random, Size, Size);
        Weight second = RandomWeight(backend, random, Size, Size);
        Tensor input = backend.Allocate(Rows, Size, DType.BFloat16);
        Tensor middle = backend.Allocate(Rows, Size, DType.BFloat16);
        Tensor output = backend.Allocate(Rows, Size, DType.Float32);
        void Operations()
        {
            backend.Linear(middle, input, first, null);
            backend.Linear(output, middle, second, null);
        }

        Operations();
        using DeviceGraph graph = backend.Capture(Operations);
        for (int round = 0; round < 20; round++)
        {
            backend.Upload<ushort>(input, Gpu.RandomBits(random, Rows * Size, DType.BFloat16));
            Operations();
            float[] expected = Gpu.Read(backend, output);
            Gpu.Poison(backend, output);
            Gpu.Poison(backend, middle);
            graph.Launch();
            Assert.Equal(expected, Gpu.Read(backend, output));
        }
    }

    [Fact]
    public void Launch_ManyTimesWithUploadsBetween_EachSeesItsOwn()
    {
        using CudaBackend backend = Gpu.Open();
        const int Size = 64;
        Weight identity = backend.AllocateWeight(Size, Size, DType.BFloat16);
        ushort[] ones = new ushort[Size * Size];
        for (int i = 0; i < Size; i++)
        {
            ones[(i * Size) + i] = ((BFloat16)1f).Bits;
        }

        backend.UploadRows(identity, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(ones), DType.BFloat16);
        Tensor input = backend.Allocate(1, Size, DType.BFloat16);
        Tensor output = backend.Allocate(1, Size, DType.Float32);
        void Operations() => backend.Linear(output, input, identity, null);
        Operations();
        using DeviceGraph graph = backend.Capture(Operations);
        const int Rounds = 200;
        using HostBuffer results = backend.AllocateHost(Rounds * Size * sizeof(float));
        ushort[] values = new ushort[Size];
        for (int round = 0; round < Rounds; round++)
        {
            Array.Fill(values, ((BFloat16)round).Bits);
            backend.Upload<ushort>(input, values);
            graph.Launch();
            backend.DownloadAsync(output, results, round * Size * sizeof(float));
        }

        backend.Synchronize();
        for (int round = 0; round < Rounds; round++)
        {
            Assert.Equal(-1, results.Span<float>(round * Size * sizeof(float), Size).IndexOfAnyExcept((float)round));
        }
    }

    [Fact]
    public void Capture_WithWhatCannotBeRecorded_ThrowsAndLeavesTheBackendWhole()
    {
        using CudaBackend backend = Gpu.Open();
        Tensor tensor = backend.Allocate(1, 4, DType.Int32);

        Assert.Throws<InvalidOperationException>(() => backend.Capture(() => backend.Upload<int>(tensor, [1, 2, 3, 4])));
        Assert.Throws<InvalidOperationException>(() => backend.Capture(() => backend.Allocate(1, 1, DType.Int32)));
        Assert.Throws<InvalidOperationException>(() => backend.Capture(backend.Synchronize));

        backend.Upload<int>(tensor, [5, 6, 7, 8]);
        int[] read = new int[4];
        backend.Download<int>(tensor, read);
        Assert.Equal([5, 6, 7, 8], read);
    }

    [Fact]
    public void Operations_AfterTheFirstTime_TakeNoMemory()
    {
        using CudaBackend backend = Gpu.Open();
        Random random = new(4);
        Weight weight = RandomWeight(backend, random, 512, 256);
        Tensor bias = Gpu.Tensor(backend, new float[512], 1, 512, DType.Float32);
        Tensor input = backend.Allocate(40, 256, DType.BFloat16);
        Tensor output = backend.Allocate(40, 512, DType.BFloat16);
        void Operations()
        {
            for (int rows = 1; rows <= 40; rows++)
            {
                backend.Linear(output.SliceRows(0, rows), input.SliceRows(0, rows), weight, bias);
            }
        }

        Operations();
        long before = backend.Context.Memory.RequestCount;
        for (int round = 0; round < 10; round++)
        {
            Operations();
        }

        backend.Synchronize();
        Assert.Equal(before, backend.Context.Memory.RequestCount);
    }

    private static Weight RandomWeight(CudaBackend backend, Random random, int rows, int columns)
    {
        Weight weight = backend.AllocateWeight(rows, columns, DType.BFloat16);
        ushort[] values = Gpu.RandomBits(random, rows * columns, DType.BFloat16);
        backend.UploadRows(weight, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(values), DType.BFloat16);
        return weight;
    }
}
