namespace Sluice.Compute.Ops;

/// <summary>The functions of <see cref="VectorMath"/> on one float, operation by operation the same.</summary>
internal static class ScalarMath
{
    public const float ExpLow = -87.33654f;
    public const float ExpHigh = 88.72283f;
    public const float Log2E = 1.44269504f;
    public const float RoundShift = 12582912f;
    public const float Ln2High = 0.693359375f;
    public const float Ln2Low = -2.12194440e-4f;
    public const float Exp0 = 0.5f;
    public const float Exp1 = 0.166665748f;
    public const float Exp2 = 0.0416665524f;
    public const float Exp3 = 0.0083634723f;
    public const float Exp4 = 0.00139265507f;

    public const float TanhSplit = 0.625f;
    public const float Tanh0 = -0.333333284f;
    public const float Tanh1 = 0.133327693f;
    public const float Tanh2 = -0.0538509078f;
    public const float Tanh3 = 0.0209971797f;
    public const float Tanh4 = -0.00609671418f;

    public const float Erf0 = 1.12837911f;
    public const float Erf1 = -0.37612626f;
    public const float Erf2 = 0.112835944f;
    public const float Erf3 = -0.0268542115f;
    public const float Erf4 = 0.00518908724f;
    public const float Erf5 = -0.00080168643f;
    public const float Erf6 = 7.87587487e-05f;

    public const float Erfc0 = 0.282098293f;
    public const float Erfc1 = 0.282041997f;
    public const float Erfc2 = 0.246942401f;
    public const float Erfc3 = 0.178881094f;
    public const float Erfc4 = 0.06073156f;
    public const float Erfc5 = 0.0828844011f;
    public const float Erfc6 = -0.22661835f;
    public const float Erfc7 = 0.0936153308f;

    public static float Exp(float x)
    {
        if (float.IsNaN(x))
        {
            return x;
        }

        if (x < ExpLow)
        {
            return 0;
        }

        if (x > ExpHigh)
        {
            return float.PositiveInfinity;
        }

        float shifted = MathF.FusedMultiplyAdd(x, Log2E, RoundShift);
        float n = shifted - RoundShift;
        float r = MathF.FusedMultiplyAdd(n, -Ln2High, x);
        r = MathF.FusedMultiplyAdd(n, -Ln2Low, r);
        float q = MathF.FusedMultiplyAdd(Exp4, r, Exp3);
        q = MathF.FusedMultiplyAdd(q, r, Exp2);
        q = MathF.FusedMultiplyAdd(q, r, Exp1);
        q = MathF.FusedMultiplyAdd(q, r, Exp0);
        float p = MathF.FusedMultiplyAdd(r * r, q, r) + 1;
        return BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(p) + (BitConverter.SingleToInt32Bits(shifted) << 23));
    }

    public static float Tanh(float x)
    {
        float magnitude = MathF.Abs(x);
        if (magnitude < TanhSplit)
        {
            float square = x * x;
            float q = MathF.FusedMultiplyAdd(Tanh4, square, Tanh3);
            q = MathF.FusedMultiplyAdd(q, square, Tanh2);
            q = MathF.FusedMultiplyAdd(q, square, Tanh1);
            q = MathF.FusedMultiplyAdd(q, square, Tanh0);
            return MathF.FusedMultiplyAdd(x * square, q, x);
        }

        return MathF.CopySign(1 - (2 / (Exp(magnitude + magnitude) + 1)), x);
    }

    public static float Erf(float x)
    {
        float magnitude = MathF.Abs(x);
        if (magnitude < 1)
        {
            float square = x * x;
            float p = MathF.FusedMultiplyAdd(Erf6, square, Erf5);
            p = MathF.FusedMultiplyAdd(p, square, Erf4);
            p = MathF.FusedMultiplyAdd(p, square, Erf3);
            p = MathF.FusedMultiplyAdd(p, square, Erf2);
            p = MathF.FusedMultiplyAdd(p, square, Erf1);
            p = MathF.FusedMultiplyAdd(p, square, Erf0);
            return p * x;
        }

        if (float.IsNaN(x))
        {
            return x;
        }

        float bounded = MathF.Min(magnitude, 10);
        float t = 1 / MathF.FusedMultiplyAdd(bounded, 0.5f, 1);
        float q = MathF.FusedMultiplyAdd(Erfc7, t, Erfc6);
        q = MathF.FusedMultiplyAdd(q, t, Erfc5);
        q = MathF.FusedMultiplyAdd(q, t, Erfc4);
        q = MathF.FusedMultiplyAdd(q, t, Erfc3);
        q = MathF.FusedMultiplyAdd(q, t, Erfc2);
        q = MathF.FusedMultiplyAdd(q, t, Erfc1);
        q = MathF.FusedMultiplyAdd(q, t, Erfc0);
        return MathF.CopySign(1 - (q * t * Exp(-(bounded * bounded))), x);
    }

    /// <summary>The larger of two; the second when one is NaN, as the processor's instruction has it.</summary>
    public static float MaxNative(float left, float right) => left > right ? left : right;
}
