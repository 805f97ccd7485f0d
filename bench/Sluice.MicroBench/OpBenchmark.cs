using BenchmarkDotNet.Attributes;
using Sluice.Compute;
using Sluice.Compute.Cpu;

namespace Sluice.MicroBench;

/// <summary>A backend for the length of a benchmark, with made-up tensors.</summary>
public abstract class OpBenchmark
{
    private CpuBackend? _backend;

    protected CpuBackend Backend => _backend ??= new CpuBackend();

    [GlobalCleanup]
    public void Dispose() => _backend?.Dispose();

    protected Tensor NewTensor(int rows, int columns)
    {
        Tensor tensor = Backend.Allocate(rows, columns, DType.Float32);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = ((i * 7 % 31) - 15) / 16f;
        }

        Backend.Upload<float>(tensor, values);
        return tensor;
    }

    protected Tensor NewIntegers(params int[] values)
    {
        Tensor tensor = Backend.Allocate(1, values.Length, DType.Int32);
        Backend.Upload<int>(tensor, values);
        return tensor;
    }

    protected Weight NewWeight(int rows, int columns, DType type)
    {
        Weight weight = Backend.AllocateWeight(rows, columns, type);
        MadeUp.Fill(Backend, weight);
        return weight;
    }
}
