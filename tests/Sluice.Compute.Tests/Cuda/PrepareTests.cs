using Sluice.Compute.Cuda;

namespace Sluice.Compute.Tests.Cuda;

[Collection(Gpu.Collection)]
public sealed class PrepareTests
{
    [Fact]
    public void Prepare_Operations_OnlyStartsCompilations()
    {
        using CudaBackend backend = Gpu.Open();
        Tensor sum = Gpu.Tensor(backend, [1, 2, 3, 4], 1, 4, DType.BFloat16);
        Tensor term = Gpu.Tensor(backend, [1, 1, 1, 1], 1, 4, DType.BFloat16);

        backend.Prepare(() => backend.Add(sum, term));
        Assert.Equal([1, 2, 3, 4], Gpu.Read(backend, sum));

        backend.Add(sum, term);
        Assert.Equal([2, 3, 4, 5], Gpu.Read(backend, sum));
    }

    [Fact]
    public void Launch_SteadyState_AllocatesNothing()
    {
        using CudaBackend backend = Gpu.Open();
        Tensor sum = backend.Allocate(3, 64, DType.BFloat16);
        Tensor term = backend.Allocate(3, 64, DType.BFloat16);
        const int Launches = 1000;

        // The first calls may make things that stay, in the runtime as well.
        Add(10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Add(Launches);

        // The smallest object takes 24 bytes: one a launch would be seen.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Launches);

        void Add(int count)
        {
            for (int i = 0; i < count; i++)
            {
                backend.Add(sum, term);
            }

            backend.Synchronize();
        }
    }
}
