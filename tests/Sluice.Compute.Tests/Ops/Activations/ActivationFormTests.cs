using Sluice.Compute.Ops.Activations;
using Sluice.Compute.Tests.Cuda;

namespace Sluice.Compute.Tests.Ops.Activations;

[Collection(Gpu.Collection)]
public sealed class ActivationFormTests
{
    // Of gate * up: where f is far below its argument (gelu of large negative numbers), float32 cancels on the CPU.
    private const double CancellationTolerance = 2e-7;

    // Of the cap: exp, a division and a subtraction.
    private const double SoftCapTolerance = 3e-7;

    public static TheoryData<Form, Activation, int, int, int> Shapes()
    {
        TheoryData<Form, Activation, int, int, int> data = [];
        foreach (Form form in OpDevice.Forms)
        {
            foreach (Activation activation in Enum.GetValues<Activation>())
            {
                if (activation == Activation.ClampedSwish && form is (Form.CudaBFloat16 or Form.CudaFloat16))
                {
                    continue;
                }

                data.Add(form, activation, 1, 8192, 0);
                data.Add(form, activation, 17, 14336, 0);
                data.Add(form, activation, 8191, 64, 8);
                data.Add(form, activation, 3, 4864, 16);
                data.Add(form, activation, 2, 28672, 0);
                data.Add(form, activation, 5, 333, 3);
                data.Add(form, activation, 2, 4096, 1);
                data.Add(form, activation, 1, 1, 0);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void GatedActivation_AnyForm_IsTheDefinition(Form form, Activation activation, int rows, int width, int gap)
    {
        using OpDevice device = OpDevice.Open(form);
        float[] values = device.Random(rows * 2 * width, scale: 8);
        Tensor gateUp = device.Activations(values, rows, gap * 2);
        Tensor output = device.Poisoned(rows, width, gap);

        if (form == Form.Reference)
        {
            GatedActivationReference.Run(output, gateUp, activation);
        }
        else
        {
            device.Backend.GatedActivation(output, gateUp, activation);
        }

        float[] actual = device.Read(output);
        for (int i = 0; i < actual.Length; i++)
        {
            double gate = values[(i / width * 2 * width) + (i % width)];
            double up = values[(i / width * 2 * width) + width + (i % width)];
            device.AssertRounded(Apply(gate, up, activation), actual[i], Math.Abs(gate) * (Math.Abs(up) + 1) * CancellationTolerance, i);
        }
    }

    [Theory]
    [InlineData(Form.Reference, 2, 1000, 0, 30f)]
    [InlineData(Form.Simd, 2, 1001, 3, 30f)]
    [InlineData(Form.CudaBFloat16, 1, 128_256, 0, 30f)]
    [InlineData(Form.CudaBFloat16, 64, 32_000, 0, 50f)]
    [InlineData(Form.CudaBFloat16, 3, 777, 2, 30f)]
    [InlineData(Form.CudaFloat16, 3, 1, 0, 0.5f)]
    public void SoftCap_AnyForm_IsTheDefinition(Form form, int rows, int columns, int gap, float cap)
    {
        using OpDevice device = OpDevice.Open(form);
        float[] values = device.Random(rows * columns, scale: 100);
        Tensor tensor = device.Floats(values, rows, gap);

        if (form == Form.Reference)
        {
            SoftCapReference.Run(tensor, cap);
        }
        else
        {
            device.Backend.SoftCap(tensor, cap);
        }

        float[] actual = device.Read(tensor);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal(cap * Math.Tanh(values[i] / cap), actual[i], cap * SoftCapTolerance);
        }
    }

    private static double Apply(double gate, double up, Activation activation)
    {
        double clamped = Math.Min(gate, 7);
        return activation == Activation.ClampedSwish
            ? clamped / (1 + Math.Exp(-1.702 * clamped)) * (Math.Clamp(up, -7, 7) + 1)
            : Apply(gate, activation) * up;
    }

    private static double Apply(double x, Activation activation) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        _ => x * NormalIntegral(x),
    };

    // Phi(x) by the series phi(x) (x + x^3 / 3 + x^5 / 15 + ...), which only adds.
    private static double NormalIntegral(double x)
    {
        double term = Math.Abs(x);
        double sum = 0;
        for (int odd = 1; term > sum * 1e-18; odd += 2)
        {
            sum += term;
            term *= x * x / (odd + 2);
        }

        double half = sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);
        return x < 0 ? 0.5 - half : 0.5 + half;
    }
}
