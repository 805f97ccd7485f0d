using Sluice.Compute.Ops.Elementwise;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Elementwise;

[Collection(Gpu.Collection)]
public sealed class AddFormTests
{
    public static TheoryData<Form, int, int, int> Shapes()
    {
        TheoryData<Form, int, int, int> data = [];
        foreach (Form form in OpDevice.Forms)
        {
            data.Add(form, 1, 2048, 0);
            data.Add(form, 64, 4096, 8);
            data.Add(form, 8191, 256, 0);
            data.Add(form, 3, 37, 1);
            data.Add(form, 2, 4096, 5);
            data.Add(form, 1, 1, 0);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Add_AnyForm_IsTheRoundedSum(Form form, int rows, int columns, int gap)
    {
        using OpDevice device = OpDevice.Open(form);
        float[] left = device.Random(rows * columns, scale: 5);
        float[] right = device.Random(rows * columns);
        Tensor accumulator = device.Activations(left, rows, gap);
        Tensor input = device.Activations(right, rows, gap * 2);

        if (form == Form.Reference)
        {
            AddReference.Run(accumulator, input);
        }
        else
        {
            device.Backend.Add(accumulator, input);
        }

        float[] actual = device.Read(accumulator);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal(device.Round(left[i] + right[i]), actual[i]);
        }

        Assert.Equal(right, device.Read(input));
    }
}
