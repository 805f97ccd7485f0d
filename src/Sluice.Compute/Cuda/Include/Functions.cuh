// Elementary functions of float32. Each names its error; polynomials and intervals are those of the CPU's ScalarMath.
#pragma once
#include "Types.cuh"

// a * b + c with one rounding, whatever the compiler would make of the expression.
SLUICE_INLINE float multiply_add(float a, float b, float c) {
    float result;
    asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(result) : "f"(a), "f"(b), "f"(c));
    return result;
}

// 1 / sqrt(x) within 2 ulp.
SLUICE_INLINE float reciprocal_root(float x) {
    float result;
    asm("rsqrt.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// 1 / x within 1 ulp; 0 for infinity.
SLUICE_INLINE float reciprocal(float x) {
    float result;
    asm("rcp.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// e^x, relative error below 2^-21 for |x| < 16, growing with |x| as the rounding of x log2 e does.
SLUICE_INLINE float exponential(float x) { return exp2_fast(x * SLUICE_LOG2E); }

SLUICE_INLINE float absolute(float x) { return bits_float(float_bits(x) & 0x7fffffffu); }

SLUICE_INLINE float with_sign_of(float magnitude, float x) { return bits_float(float_bits(magnitude) | (float_bits(x) & 0x80000000u)); }

SLUICE_INLINE float silu(float x) { return x * reciprocal(exponential(-x) + 1.0f); }

// tanh within 2^-21 relative: a polynomial near zero, where 1 - 2 / (e^2x + 1) would cancel.
SLUICE_INLINE float hyperbolic_tangent(float x) {
    float magnitude = absolute(x);
    if (magnitude < 0.625f) {
        float square = x * x;
        float q = -0.00609671418f;
        q = q * square + 0.0209971797f;
        q = q * square - 0.0538509078f;
        q = q * square + 0.133327693f;
        q = q * square - 0.333333284f;
        return x * square * q + x;
    }
    return with_sign_of(1.0f - 2.0f * reciprocal(exponential(magnitude + magnitude) + 1.0f), x);
}

// The normal distribution's integral up to x, within 2^-20 relative down to x = -9: (1 + erf(z)) / 2 with z = x / sqrt(2), by erf near
// zero and by erfc elsewhere, so that nothing cancels where x is far below zero.
SLUICE_INLINE float normal_integral(float x) {
    float z = x * 0.70710678f;
    float magnitude = absolute(z);
    if (magnitude < 1.0f) {
        float square = z * z;
        float p = 7.87587487e-05f;
        p = p * square - 0.00080168643f;
        p = p * square + 0.00518908724f;
        p = p * square - 0.0268542115f;
        p = p * square + 0.112835944f;
        p = p * square - 0.37612626f;
        p = p * square + 1.12837911f;
        return p * z * 0.5f + 0.5f;
    }

    // erfc(z) = t Q(t) exp(-z^2) with t = 1 / (1 + z / 2); beyond 10 it is zero in this type. NaN passes through.
    float bounded = magnitude > 10.0f ? 10.0f : magnitude;
    float t = reciprocal(bounded * 0.5f + 1.0f);
    float q = 0.0936153308f;
    q = q * t - 0.22661835f;
    q = q * t + 0.0828844011f;
    q = q * t + 0.06073156f;
    q = q * t + 0.178881094f;
    q = q * t + 0.246942401f;
    q = q * t + 0.282041997f;
    q = q * t + 0.282098293f;
    float tail = 0.5f * q * t * exponential(-(bounded * bounded));
    return x < 0.0f ? tail : 1.0f - tail;
}

// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), by 1 + tanh(y) = 2 / (1 + exp(-2y)).
SLUICE_INLINE float gelu_tanh(float x) {
    float inner = x * (x * x * (1.5957691216f * 0.044715f) + 1.5957691216f);
    return x * reciprocal(exponential(-inner) + 1.0f);
}

SLUICE_INLINE float gelu(float x) { return x * normal_integral(x); }
