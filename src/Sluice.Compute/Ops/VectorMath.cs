using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sluice.Compute.Ops;

/// <summary>
/// Elementary functions on eight floats. <see cref="ScalarMath"/> does the same operations in the same order on one, so both
/// give the same bits. Polynomials: Chebyshev fits made for these intervals; errors against exact values are in the tests.
/// </summary>
internal static class VectorMath
{
    /// <summary>e^x within 2 units in the last place; 0 below the normal numbers, infinity above the largest, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
        Vector256<float> clamped = Vector256.MinNative(Vector256.MaxNative(x, Vector256.Create(ScalarMath.ExpLow)), Vector256.Create(ScalarMath.ExpHigh));
        Vector256<float> shifted = Vector256.FusedMultiplyAdd(clamped, Vector256.Create(ScalarMath.Log2E), Vector256.Create(ScalarMath.RoundShift));
        Vector256<float> n = shifted - Vector256.Create(ScalarMath.RoundShift);
        Vector256<float> r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-ScalarMath.Ln2High), clamped);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-ScalarMath.Ln2Low), r);
        Vector256<float> q = Vector256.Create(ScalarMath.Exp4);
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(ScalarMath.Exp3));
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(ScalarMath.Exp2));
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(ScalarMath.Exp1));
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(ScalarMath.Exp0));
        Vector256<float> p = Vector256.FusedMultiplyAdd(r * r, q, r) + Vector256<float>.One;
        Vector256<float> result = (p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle();
        result = Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(ScalarMath.ExpLow)), Vector256<float>.Zero, result);
        result = Vector256.ConditionalSelect(
            Vector256.GreaterThan(x, Vector256.Create(ScalarMath.ExpHigh)), Vector256.Create(float.PositiveInfinity), result);
        return Vector256.ConditionalSelect(Vector256.Equals(x, x), result, x);
    }

    /// <summary>Hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Tanh(Vector256<float> x)
    {
        Vector256<float> magnitude = Vector256.Abs(x);
        Vector256<float> square = x * x;
        Vector256<float> q = Vector256.Create(ScalarMath.Tanh4);
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Tanh3));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Tanh2));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Tanh1));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Tanh0));
        Vector256<float> small = Vector256.FusedMultiplyAdd(x * square, q, x);
        Vector256<float> large = Vector256<float>.One - (Vector256.Create(2f) / (Exp(magnitude + magnitude) + Vector256<float>.One));
        large = Vector256.ConditionalSelect(Vector256.Create(-0f), x, large);
        return Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(ScalarMath.TanhSplit)), small, large);
    }

    /// <summary>Error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Erf(Vector256<float> x)
    {
        Vector256<float> magnitude = Vector256.Abs(x);
        Vector256<float> square = x * x;
        Vector256<float> q = Vector256.Create(ScalarMath.Erf6);
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Erf5));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Erf4));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Erf3));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Erf2));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Erf1));
        q = Vector256.FusedMultiplyAdd(q, square, Vector256.Create(ScalarMath.Erf0));
        Vector256<float> small = q * x;

        // erfc(x) = t Q(t) exp(-x^2) with t = 1 / (1 + x / 2); beyond 10 it is zero in this type.
        Vector256<float> bounded = Vector256.MinNative(magnitude, Vector256.Create(10f));
        Vector256<float> t = Vector256<float>.One / Vector256.FusedMultiplyAdd(bounded, Vector256.Create(0.5f), Vector256<float>.One);
        q = Vector256.Create(ScalarMath.Erfc7);
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc6));
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc5));
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc4));
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc3));
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc2));
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc1));
        q = Vector256.FusedMultiplyAdd(q, t, Vector256.Create(ScalarMath.Erfc0));
        Vector256<float> large = Vector256<float>.One - (q * t * Exp(-(bounded * bounded)));
        large = Vector256.ConditionalSelect(Vector256.Create(-0f), x, large);
        Vector256<float> result = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256<float>.One), small, large);
        return Vector256.ConditionalSelect(Vector256.Equals(x, x), result, x);
    }

    /// <summary>Sum of eight lanes: halves, then quarters, then the last two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> lanes)
    {
        Vector128<float> four = lanes.GetLower() + lanes.GetUpper();
        return (four.GetElement(0) + four.GetElement(2)) + (four.GetElement(1) + four.GetElement(3));
    }

    /// <summary>Largest of eight lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector256<float> lanes)
    {
        Vector128<float> four = Vector128.MaxNative(lanes.GetLower(), lanes.GetUpper());
        float low = ScalarMath.MaxNative(four.GetElement(0), four.GetElement(2));
        float high = ScalarMath.MaxNative(four.GetElement(1), four.GetElement(3));
        return ScalarMath.MaxNative(low, high);
    }
}
