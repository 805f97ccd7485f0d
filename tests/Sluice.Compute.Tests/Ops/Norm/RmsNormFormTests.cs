using Sluice.Compute.Ops.Norm;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Norm;

[Collection(Gpu.Collection)]
public sealed class RmsNormFormTests
{
    private const float Epsilon = 1e-5f;

    // rows, groups, width, gap between rows.
    public static TheoryData<Form, int, int, int, int> Shapes()
    {
        (int Rows, int Groups, int Width, int Gap)[] shapes =
        [
            (1, 1, 896, 0), (1, 1, 2048, 0), (3, 1, 3072, 8), (1, 1, 4096, 0), (65, 1, 5120, 0), (4, 1, 8192, 16), (2, 1, 16384, 0),
            (8191, 1, 512, 0), (700, 1, 4096, 0), (1, 40, 128, 1024), (33, 5, 80, 8), (7, 1, 256, 0), (129, 16, 64, 8), (2, 3, 2048, 0),
            (3, 1, 1, 0), (2, 5, 3, 1), (5, 1, 37, 2), (3, 1, 4096, 3), (2, 1, 3001, 0), (2, 1, 16383, 5),
        ];
        TheoryData<Form, int, int, int, int> data = [];
        foreach (Form form in OpDevice.Forms)
        {
            foreach ((int rows, int groups, int width, int gap) in shapes)
            {
                data.Add(form, rows, groups, width, gap);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void RmsNorm_AnyForm_IsTheDefinition(Form form, int rows, int groups, int width, int gap)
    {
        const float GainOffset = 1;
        using OpDevice device = OpDevice.Open(form);
        float[] values = device.Random(rows * groups * width, scale: 3);
        float[] gains = device.Random(width);
        Tensor input = device.Activations(values, rows, gap);
        Tensor gain = device.Floats(gains);
        Tensor output = device.Poisoned(rows, groups * width, gap);

        Norm(device, output, input, gain, GainOffset);
        Norm(device, input, input, gain, GainOffset);

        AssertIsNorm(device, device.Read(output), values, gains, GainOffset);
        Assert.Equal(device.Read(output), device.Read(input));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void AddRmsNorm_AnyForm_IsTheNormOfTheRoundedSum(Form form, int rows, int groups, int width, int gap)
    {
        using OpDevice device = OpDevice.Open(form);
        float[] before = device.Random(rows * groups * width, scale: 3);
        float[] addends = device.Random(rows * groups * width);
        float[] gains = device.Random(width);
        Tensor residual = device.Activations(before, rows, gap);
        Tensor input = device.Activations(addends, rows, gap);
        Tensor gain = device.Floats(gains);
        Tensor output = device.Poisoned(rows, groups * width, gap);

        if (form == Form.Reference)
        {
            RmsNormReference.RunAdd(output, residual, input, gain, Epsilon, 0);
        }
        else
        {
            device.Backend.AddRmsNorm(output, residual, input, gain, Epsilon, 0);
        }

        float[] sums = device.Read(residual);
        for (int i = 0; i < sums.Length; i++)
        {
            Assert.Equal(device.Round(before[i] + addends[i]), sums[i]);
        }

        AssertIsNorm(device, device.Read(output), sums, gains, 0);
    }

    [Theory]
    [InlineData(Form.Simd)]
    [InlineData(Form.CudaBFloat16)]
    [InlineData(Form.CudaFloat16)]
    public void RmsNorm_RowAloneAndInABatch_HasTheSameBits(Form form)
    {
        const int Rows = 300;
        using OpDevice device = OpDevice.Open(form);
        foreach (int width in new[] { 128, 4096 })
        {
            Tensor input = device.Activations(device.Random(Rows * width), Rows);
            Tensor gain = device.Floats(device.Random(width));
            Tensor all = device.Poisoned(Rows, width);
            Tensor one = device.Poisoned(1, width);

            device.Backend.RmsNorm(all, input, gain, Epsilon, 0);
            device.Backend.RmsNorm(one, input.SliceRows(17, 1), gain, Epsilon, 0);

            Assert.Equal(device.Read(all.SliceRows(17, 1)), device.Read(one));
        }
    }

    private static void Norm(OpDevice device, Tensor output, Tensor input, Tensor gain, float gainOffset)
    {
        if (device.Form == Form.Reference)
        {
            RmsNormReference.Run(output, input, gain, Epsilon, gainOffset);
        }
        else
        {
            device.Backend.RmsNorm(output, input, gain, Epsilon, gainOffset);
        }
    }

    private static void AssertIsNorm(OpDevice device, float[] actual, float[] values, float[] gains, double gainOffset)
    {
        int width = gains.Length;
        for (int start = 0; start < values.Length; start += width)
        {
            double square = 0;
            foreach (float value in values.AsSpan(start, width))
            {
                square += (double)value * value;
            }

            double factor = 1 / Math.Sqrt((square / width) + Epsilon);
            for (int i = 0; i < width; i++)
            {
                device.AssertRounded(values[start + i] * factor * (gains[i] + gainOffset), actual[start + i], 0, start + i);
            }
        }
    }
}
