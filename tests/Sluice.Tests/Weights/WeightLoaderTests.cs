using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.Compute.Cpu;
using Sluice.Compute.Ops.Linear;
using Sluice.Weights;

namespace Sluice.Tests.Weights;

public sealed class WeightLoaderTests
{
    // Odd sizes, and more bytes than are read at once.
    private const int Columns = 1031;
    private const int FirstRows = 37;
    private const int SecondRows = 5000;

    [Fact]
    public void Load_FusedMatrixInManyChunks_PutsEveryRowInItsPlace()
    {
        using var backend = new CpuBackend();
        using var checkpoint = new DummyCheckpoint(seed: 1);
        Weight weight = backend.AllocateWeight(FirstRows + SecondRows, Columns, DType.Float32);
        CheckpointTensor first = checkpoint.Find("first", [FirstRows, Columns]);
        CheckpointTensor second = checkpoint.Find("second", [SecondRows, Columns]);
        var loader = new WeightLoader(backend, checkpoint);
        loader.Add(second, weight, FirstRows, SecondRows);
        loader.Add(first, weight, 0, FirstRows);

        loader.Load(null, TestContext.Current.CancellationToken);

        AssertRows(ReadAll(checkpoint, first), weight, 0, FirstRows);
        AssertRows(ReadAll(checkpoint, second), weight, FirstRows, SecondRows);
    }

    [Fact]
    public void Load_ReadFails_StopsAndThrowsTheFirstError()
    {
        using var backend = new CpuBackend();
        using var folder = new TemporaryFolder();
        string path = folder.Write("model.safetensors", SafetensorsWriter.File("a", "BF16", "[4096,1024]", 4096 * 1024 * 2));
        using SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(folder.Path);
        CheckpointTensor tensor = checkpoint.Find("a", [4096, 1024]);
        var loader = new WeightLoader(backend, checkpoint);
        loader.Add(tensor, backend.AllocateWeight(4096, 1024, DType.BFloat16), 0, 4096);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(stream.Length / 2);
        }

        var error = Assert.Throws<UserErrorException>(() => loader.Load(null, TestContext.Current.CancellationToken));

        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DummyCheckpoint_Values_AreSpreadAsSaid()
    {
        using var checkpoint = new DummyCheckpoint(seed: 5);
        ushort[] bits = ReadAll(checkpoint, checkpoint.Find("w.weight", [2000, 300]));
        double[] values = [.. bits.Select(static value => (double)(float)new BFloat16(value))];

        // Uniform with variance 1 / columns; 600,000 values: the errors of mean and variance are under 0.5 %.
        Assert.Equal(0, values.Average() * Math.Sqrt(300), 0.005);
        Assert.Equal(1, values.Sum(static value => value * value) / values.Length * 300, 0.01);
        Assert.True(values.Max() <= Math.Sqrt(3.0 / 300));
        Assert.True(bits.Distinct().Count() > 500);
    }

    private static ushort[] ReadAll(DummyCheckpoint checkpoint, CheckpointTensor tensor)
    {
        byte[] bytes = new byte[tensor.SizeBytes];
        checkpoint.Read(tensor, 0, bytes);
        return MemoryMarshal.Cast<byte, ushort>(bytes).ToArray();
    }

    private static void AssertRows(ushort[] expected, Weight weight, int firstRow, int rows)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < Columns; column++)
            {
                float value = (float)new BFloat16(expected[(row * Columns) + column]);
                if (PackedWeight.Read(weight, firstRow + row, column) != value)
                {
                    Assert.Fail($"Row {firstRow + row}, column {column}");
                }
            }
        }
    }
}
