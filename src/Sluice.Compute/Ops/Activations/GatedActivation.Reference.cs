namespace Sluice.Compute.Ops.Activations;

/// <summary>The definition of output = f(gate) * up.</summary>
internal static unsafe class GatedActivationReference
{
    // sqrt(2 / pi), doubled because tanh(y) = 2 / (1 + exp(-2y)) - 1; and the cubic term of the tanh form of gelu.
    public const float GeluFactor = 1.5957691216f;
    public const float GeluCubic = 0.044715f;
    public const float SqrtHalf = 0.70710678f;

    public const float SwishLimit = 7;
    public const float SwishFactor = 1.702f;

    public static void Run(Tensor output, Tensor gateUp, Activation activation)
    {
        for (long row = 0; row < output.Rows; row++)
        {
            float* gate = (float*)gateUp.Address + (row * gateUp.RowStride);
            float* up = gate + output.Columns;
            float* result = (float*)output.Address + (row * output.RowStride);
            for (int i = 0; i < output.Columns; i++)
            {
                result[i] = Apply(gate[i], up[i], activation);
            }
        }
    }

    public static float Apply(float gate, float up, Activation activation)
    {
        if (activation != Activation.ClampedSwish)
        {
            return Apply(gate, activation) * up;
        }

        // Comparisons that are false for what is not a number: it stays so.
        float g = gate > SwishLimit ? SwishLimit : gate;
        float u = up > SwishLimit ? SwishLimit : up < -SwishLimit ? -SwishLimit : up;
        return g / (ScalarMath.Exp(-SwishFactor * g) + 1) * (u + 1);
    }

    public static float Apply(float x, Activation activation) => activation switch
    {
        Activation.Silu => x / (ScalarMath.Exp(-x) + 1),
        Activation.GeluTanh => x / (ScalarMath.Exp(-(x * MathF.FusedMultiplyAdd(x * x, GeluFactor * GeluCubic, GeluFactor))) + 1),
        _ => x * 0.5f * (ScalarMath.Erf(x * SqrtHalf) + 1),
    };
}
