// Number types and vector access for kernels that include no CUDA header.
// act_t is the type of activations, weights and (unless it is FP8) the key-value cache: bfloat16 with SLUICE_BF16, float16 with SLUICE_F16.
#pragma once

#define SLUICE_INLINE static __device__ __forceinline__

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct bf16 {
    u16 bits;
};

struct f16 {
    u16 bits;
};

// FP8 E4M3 without infinities (largest finite value 448), as in the key-value cache.
struct fp8 {
    u8 bits;
};

#if defined(SLUICE_F16)
typedef f16 act_t;
#else
typedef bf16 act_t;
#endif

// 16 bytes: the widest access of a thread.
struct alignas(16) vec16 {
    u32 x, y, z, w;
};

struct alignas(8) vec8 {
    u32 x, y;
};

SLUICE_INLINE u32 float_bits(float value) {
    u32 bits;
    asm("mov.b32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
}

SLUICE_INLINE float bits_float(u32 bits) {
    float value;
    asm("mov.b32 %0, %1;" : "=f"(value) : "r"(bits));
    return value;
}

SLUICE_INLINE float to_float(float value) { return value; }

SLUICE_INLINE float to_float(bf16 value) { return bits_float((u32)value.bits << 16); }

SLUICE_INLINE float to_float(f16 value) {
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
    return result;
}

// Two E4M3 values as two float16, which hold them exactly.
SLUICE_INLINE u32 fp8x2_to_f16x2(u16 pair) {
#if SLUICE_ARCH >= 89
    u32 result;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(result) : "h"(pair));
    return result;
#else
    // Exponent bias 7 against 15: the shifted bits as float16 are the value times 2^-8, subnormals included.
    u32 spread = ((u32)(pair & 0xff00) << 16) | ((u32)(pair & 0x00ff) << 8);
    u32 scaled = (spread & 0x80008000u) | ((spread & 0x7f007f00u) >> 1);
    u32 result;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(scaled), "r"(0x5c005c00u));
    return result;
#endif
}

SLUICE_INLINE float to_float(fp8 value) {
    f16 half{(u16)(fp8x2_to_f16x2(value.bits) & 0xffff)};
    return to_float(half);
}

SLUICE_INLINE void from_float(float value, float& result) { result = value; }

SLUICE_INLINE void from_float(float value, bf16& result) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value)); }

SLUICE_INLINE void from_float(float value, f16& result) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value)); }

// Nearest even, saturating at +-448; NaN stays NaN.
SLUICE_INLINE void from_float(float value, fp8& result) {
#if SLUICE_ARCH >= 89
    u16 pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(value));
    result.bits = (u8)(pair & 0xff);
#else
    u32 bits = float_bits(value);
    u32 sign = (bits >> 24) & 0x80;
    u32 magnitude = bits & 0x7fffffff;
    u32 rounded;
    if (magnitude > 0x7f800000u) {
        rounded = 0x7f;
    } else if (magnitude >= 0x43e80000u) {  // 464 and above, halfway to the next step after 448
        rounded = 0x7e;
    } else if (magnitude < 0x3c800000u) {  // below 2^-6: multiples of 2^-9
        float steps = bits_float(magnitude) * 512.0f;
        float whole;
        asm("cvt.rni.f32.f32 %0, %1;" : "=f"(whole) : "f"(steps));
        rounded = (u32)whole;
    } else {
        u32 even = magnitude + 0x7ffff + ((magnitude >> 20) & 1);
        rounded = (even >> 20) - ((127 - 7) << 3);
        rounded = rounded > 0x7e ? 0x7e : rounded;
    }
    result.bits = (u8)(sign | rounded);
#endif
}

// Four values as E4M3 in a word, the first at the lowest address.
SLUICE_INLINE u32 pack_fp8x4(float a, float b, float c, float d) {
#if SLUICE_ARCH >= 89
    u32 word;
    asm("{ .reg .b16 low, high; cvt.rn.satfinite.e4m3x2.f32 low, %2, %1; cvt.rn.satfinite.e4m3x2.f32 high, %4, %3; mov.b32 %0, {low, high}; }"
        : "=r"(word)
        : "f"(a), "f"(b), "f"(c), "f"(d));
    return word;
#else
    fp8 bytes[4];
    from_float(a, bytes[0]);
    from_float(b, bytes[1]);
    from_float(c, bytes[2]);
    from_float(d, bytes[3]);
    return (u32)bytes[0].bits | (u32)bytes[1].bits << 8 | (u32)bytes[2].bits << 16 | (u32)bytes[3].bits << 24;
#endif
}

template <typename T>
SLUICE_INLINE T rounded(float value) {
    T result;
    from_float(value, result);
    return result;
}

// The two 16-bit numbers of a word: low is the one at the lower address.
SLUICE_INLINE void unpack2(u32 word, float& low, float& high, bf16) {
    low = bits_float(word << 16);
    high = bits_float(word & 0xffff0000u);
}

SLUICE_INLINE void unpack2(u32 word, float& low, float& high, f16) {
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.f32.f16 %0, a; cvt.f32.f16 %1, b; }" : "=f"(low), "=f"(high) : "r"(word));
}

SLUICE_INLINE u32 pack2(float low, float high, bf16) {
    u32 word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

SLUICE_INLINE u32 pack2(float low, float high, f16) {
    u32 word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
}

// Eight activations in 16 bytes.
SLUICE_INLINE void unpack8(const vec16& packed, float (&values)[8]) {
    unpack2(packed.x, values[0], values[1], act_t{});
    unpack2(packed.y, values[2], values[3], act_t{});
    unpack2(packed.z, values[4], values[5], act_t{});
    unpack2(packed.w, values[6], values[7], act_t{});
}

SLUICE_INLINE vec16 pack8(const float (&values)[8]) {
    return vec16{pack2(values[0], values[1], act_t{}), pack2(values[2], values[3], act_t{}), pack2(values[4], values[5], act_t{}),
                 pack2(values[6], values[7], act_t{})};
}

SLUICE_INLINE vec16 load16(const void* address) { return *reinterpret_cast<const vec16*>(address); }

// For data that is read once, such as weights: not kept in the first-level cache.
SLUICE_INLINE vec16 load16_streaming(const void* address) {
    vec16 value;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                 : "l"(address));
    return value;
}

SLUICE_INLINE void store16(void* address, const vec16& value) { *reinterpret_cast<vec16*>(address) = value; }

SLUICE_INLINE bool is_aligned16(const void* address) { return (reinterpret_cast<u64>(address) & 15) == 0; }

// 2^x and log2 x, each within 2 ulp of float32 over the range that softmax uses.
SLUICE_INLINE float exp2_fast(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

SLUICE_INLINE float tanh_fast(float x) {
    float result;
    asm("tanh.approx.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

#define SLUICE_LOG2E 1.4426950408889634f
#define SLUICE_NEGATIVE_INFINITY (bits_float(0xff800000u))
