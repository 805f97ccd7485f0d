// Arithmetic that gives the bits of the CPU backend: single operations that the compiler must not contract, and the same polynomials.
#pragma once
#include "Types.cuh"

SLUICE_INLINE float fused(float a, float b, float c) {
    float result;
    asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(result) : "f"(a), "f"(b), "f"(c));
    return result;
}

SLUICE_INLINE float plus(float a, float b) {
    float result;
    asm("add.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
    return result;
}

SLUICE_INLINE float minus(float a, float b) {
    float result;
    asm("sub.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
    return result;
}

SLUICE_INLINE float times(float a, float b) {
    float result;
    asm("mul.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
    return result;
}

SLUICE_INLINE float over(float a, float b) {
    float result;
    asm("div.rn.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
    return result;
}

// NaN when one of the two is.
SLUICE_INLINE float max_or_nan(float a, float b) {
    float result;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
    return result;
}

// Towards zero; NaN is 0, and what lies outside the range is its end.
SLUICE_INLINE u32 truncated(float value) {
    u32 result;
    asm("cvt.rzi.u32.f32 %0, %1;" : "=r"(result) : "f"(value));
    return result;
}

// The upper half of the product.
SLUICE_INLINE u64 high_product(u64 a, u64 b) {
    u64 result;
    asm("mul.hi.u64 %0, %1, %2;" : "=l"(result) : "l"(a), "l"(b));
    return result;
}

SLUICE_INLINE u64 double_bits(double value) {
    u64 bits;
    asm("mov.b64 %0, %1;" : "=l"(bits) : "d"(value));
    return bits;
}

SLUICE_INLINE double bits_double(u64 bits) {
    double value;
    asm("mov.b64 %0, %1;" : "=d"(value) : "l"(bits));
    return value;
}
