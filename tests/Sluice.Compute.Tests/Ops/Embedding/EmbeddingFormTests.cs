using System.Runtime.InteropServices;
using Sluice.Compute.Ops.Embedding;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Embedding;

[Collection(Gpu.Collection)]
public sealed class EmbeddingFormTests
{
    public static TheoryData<Form, int, int, int, float> Shapes()
    {
        TheoryData<Form, int, int, int, float> data = [];
        foreach (Form form in OpDevice.Forms)
        {
            data.Add(form, 1, 2048, 0, 1);
            data.Add(form, 64, 4096, 0, 1);
            data.Add(form, 3, 8192, 8, 1);
            data.Add(form, 8191, 64, 0, 1);
            data.Add(form, 5, 2304, 0, 48);
            data.Add(form, 5, 37, 3, 1.5f);
            data.Add(form, 2, 64, 1, 1);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Embedding_AnyForm_IsTheScaledRow(Form form, int tokens, int width, int gap, float scale)
    {
        const int Vocabulary = 500;
        using OpDevice device = OpDevice.Open(form);
        float[] values = device.Random(Vocabulary * width);
        Weight table = device.Backend.AllocateWeight(Vocabulary, width, device.Type);
        device.Backend.UploadRows(table, 0, MemoryMarshal.AsBytes<float>(values), DType.Float32);
        int[] ids = [.. Enumerable.Range(0, tokens).Select(t => t == 0 ? Vocabulary - 1 : t * 77 % Vocabulary)];
        Tensor output = device.Poisoned(tokens, width, gap);

        if (form == Form.Reference)
        {
            EmbeddingReference.Run(output, table, device.Integers(ids), scale);
        }
        else
        {
            device.Backend.Embedding(output, table, device.Integers(ids), scale);
        }

        float[] actual = device.Read(output);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal(device.Round(values[(ids[i / width] * width) + (i % width)] * scale), actual[i]);
        }
    }

    [Theory]
    [InlineData(Form.CudaBFloat16)]
    [InlineData(Form.CudaFloat16)]
    public void Embedding_IdOutsideTheTable_IsNotANumber(Form form)
    {
        using OpDevice device = OpDevice.Open(form);
        Weight table = device.Backend.AllocateWeight(50, 8, device.Type);
        device.Backend.UploadRows(table, 0, MemoryMarshal.AsBytes<float>(device.Random(400)), DType.Float32);
        Tensor output = device.Activations(new float[24], 3);

        device.Backend.Embedding(output, table, device.Integers(-1, 50, 49), 1);

        float[] actual = device.Read(output);
        Assert.All(actual[..16], value => Assert.True(float.IsNaN(value)));
        Assert.All(actual[16..], value => Assert.False(float.IsNaN(value)));
    }

    [Theory]
    [InlineData(Form.Simd, DType.Float32, 20, 5)]
    [InlineData(Form.CudaBFloat16, DType.Float32, 128_256, 0)]
    [InlineData(Form.CudaBFloat16, DType.Float32, 5, 1)]
    [InlineData(Form.CudaBFloat16, DType.BFloat16, 4096, 0)]
    [InlineData(Form.CudaBFloat16, DType.BFloat16, 37, 2)]
    [InlineData(Form.CudaFloat16, DType.Float16, 2048, 8)]
    [InlineData(Form.CudaFloat16, DType.Float16, 12, 4)]
    public void GatherRows_AnyForm_CopiesRows(Form form, DType type, int columns, int gap)
    {
        using OpDevice device = OpDevice.Open(form);
        float[] values = device.Random(9 * columns);
        Tensor input = type == DType.Float32 ? device.Floats(values, 9, gap) : device.Activations(values, 9, gap);
        float[] poison = [.. Enumerable.Repeat(float.NaN, 4 * columns)];
        Tensor output = type == DType.Float32 ? device.Floats(poison, 4, gap) : device.Activations(poison, 4, gap);
        int[] rows = [8, 0, 3, 3];

        device.Backend.GatherRows(output, input, device.Integers(rows));

        float[] actual = device.Read(output);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal(values[(rows[i / columns] * columns) + (i % columns)], actual[i]);
        }
    }

    [Theory]
    [InlineData(Form.Simd)]
    [InlineData(Form.CudaBFloat16)]
    public void GatherRows_ColumnOfIntegers_CopiesThem(Form form)
    {
        using OpDevice device = OpDevice.Open(form);
        Tensor input = device.Integers(10, 20, 30, 40) with { Rows = 4, Columns = 1, RowStride = 1 };
        Tensor output = device.Integers(-1, -1, -1);

        device.Backend.GatherRows(output with { Rows = 3, Columns = 1, RowStride = 1 }, input, device.Integers(3, 1, 3));

        int[] actual = new int[3];
        device.Backend.Download<int>(output, actual);
        Assert.Equal([40, 20, 40], actual);
    }

    [Theory]
    [InlineData(Form.Simd)]
    [InlineData(Form.CudaBFloat16)]
    public void ResolveTokenIds_NegativeIds_AreTakenFromTheSlots(Form form)
    {
        using OpDevice device = OpDevice.Open(form);
        int[] ids = [.. Enumerable.Range(0, 1000).Select(i => i % 3 == 0 ? -1 - (i % 100) : i)];
        int[] sampled = [.. Enumerable.Range(0, 100).Select(i => 7000 + i)];
        Tensor tensor = device.Integers(ids);

        device.Backend.ResolveTokenIds(tensor, device.Integers(sampled));

        int[] resolved = new int[ids.Length];
        device.Backend.Download<int>(tensor, resolved);
        Assert.Equal(ids.Select(id => id < 0 ? sampled[-1 - id] : id), resolved);
    }
}
