// Logits as ordered integers and as exact weights. A weight is a whole number of 2^-42ths of the most likely token's, so that sums
// have the same bits however a row is divided among threads. A row of 2^21 equal logits still fits in 63 bits.
#pragma once
#include "ExactMath.cuh"

#define NEGATIVE_INFINITY_KEY 0x007fffffu
#define POSITIVE_INFINITY_KEY 0xff800000u
#define LOWEST_FINITE_KEY 0x00800000u

// An integer that orders as the float does: the two zeros are one, NaN is above all.
SLUICE_INLINE u32 order_key(float value) {
    u32 bits = float_bits(plus(value, 0.0f));
    return bits ^ ((u32)((int)bits >> 31) | 0x80000000u);
}

SLUICE_INLINE float key_value(u32 key) { return bits_float((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key); }

// e^x for x <= 0: the CPU's VectorMath.Exp, operation by operation.
SLUICE_INLINE float exp_of_negative(float x) {
    float shifted = fused(x, 1.44269504f, 12582912.0f);
    float n = minus(shifted, 12582912.0f);
    float r = fused(n, -0.693359375f, x);
    r = fused(n, 2.12194440e-4f, r);
    float q = fused(0.00139265507f, r, 0.0083634723f);
    q = fused(q, r, 0.0416665524f);
    q = fused(q, r, 0.166665748f);
    q = fused(q, r, 0.5f);
    float p = plus(fused(times(r, r), q, r), 1.0f);
    float result = bits_float(float_bits(p) + (float_bits(shifted) << 23));
    return x < -87.33654f ? 0.0f : result;
}

// A weight in two parts, so that those of a warp's loads add up in 32 bits: high in 2^-20ths, low in 2^-42ths.
#define WEIGHT_LOW_BITS 22
#define WEIGHT_ONE (1ull << 42)

struct WeightParts {
    u32 high, low;
};

SLUICE_INLINE WeightParts weight_parts(float weight) {
    float scaled = times(weight, 1048576.0f);
    u32 high = truncated(scaled);
    float rest = minus(scaled, (float)high);
    return WeightParts{high, truncated(times(rest, 4194304.0f))};
}

SLUICE_INLINE u64 joined(u32 high, u32 low) { return ((u64)high << WEIGHT_LOW_BITS) + low; }

// Natural logarithm of a normal number, within 2^-48.
SLUICE_INLINE double log_exact(double value) {
    u64 bits = double_bits(value);
    int exponent = (int)(bits >> 52) - 1023;
    double m = bits_double((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1.0) / (m + 1.0);
    double square = s * s;
    double sum = 1.0 / 19.0;
#pragma unroll
    for (int odd = 17; odd >= 1; odd -= 2) {
        sum = sum * square + 1.0 / odd;
    }
    return 2.0 * s * sum + exponent * 0.69314718055994531;
}

// Philox4x32-10: 64 random bits of a key and a counter, of which the CPU uses the upper 53.
SLUICE_INLINE u64 philox_bits(u32 key0, u32 key1, u32 counter) {
    u32 x0 = counter, x1 = 0, x2 = 0, x3 = 0;
#pragma unroll
    for (int round = 0; round < 10; round++) {
        u64 product0 = 0xD2511F53ull * x0;
        u64 product1 = 0xCD9E8D57ull * x2;
        x0 = (u32)(product1 >> 32) ^ x1 ^ key0;
        x1 = (u32)product1;
        x2 = (u32)(product0 >> 32) ^ x3 ^ key1;
        x3 = (u32)product0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return ((u64)x0 << 21) ^ (x1 >> 11);
}
