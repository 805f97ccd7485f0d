// Names that NVRTC has built in, for clang's check of the kernels in continuous integration (-nocudainc -nocudalib). Declarations only:
// the check ends with PTX text, which nobody assembles. A name that is missing here and in NVRTC is a mistake in the kernel.
#pragma once

#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
// Known to NVRTC; clang 19 has no word for them.
#define __grid_constant__
#define __cluster_dims__(...)
#define __maxnreg__(...)

typedef __SIZE_TYPE__ size_t;

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
};
extern __device__ const uint3 threadIdx;
extern __device__ const uint3 blockIdx;
extern __device__ const dim3 blockDim;
extern __device__ const dim3 gridDim;
#define warpSize 32

#define SHIM_VECTOR(name, element, bytes2, bytes4)                     \
    struct __align__(bytes2) name##2 {                                 \
        element x, y;                                                  \
    };                                                                 \
    struct name##3 {                                                   \
        element x, y, z;                                               \
    };                                                                 \
    struct __align__(bytes4) name##4 {                                 \
        element x, y, z, w;                                            \
    };                                                                 \
    __device__ name##2 make_##name##2(element x, element y);           \
    __device__ name##4 make_##name##4(element x, element y, element z, element w);
SHIM_VECTOR(float, float, 8, 16)
SHIM_VECTOR(int, int, 8, 16)
struct __align__(8) uint2 {
    unsigned x, y;
};
struct __align__(16) uint4 {
    unsigned x, y, z, w;
};
__device__ uint2 make_uint2(unsigned x, unsigned y);
__device__ uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w);

// Barriers, fences, votes and shuffles.
extern "C" {
__device__ void __syncthreads();
__device__ int __syncthreads_or(int predicate);
__device__ int __syncthreads_and(int predicate);
__device__ int __syncthreads_count(int predicate);
__device__ void __syncwarp(unsigned mask = 0xffffffffu);
__device__ void __threadfence();
__device__ void __threadfence_block();
__device__ void __threadfence_system();
__device__ void __nanosleep(unsigned nanoseconds);
__device__ void __trap();
__device__ unsigned __activemask();
__device__ int __all_sync(unsigned mask, int predicate);
__device__ int __any_sync(unsigned mask, int predicate);
__device__ unsigned __ballot_sync(unsigned mask, int predicate);
__device__ unsigned __reduce_add_sync(unsigned mask, unsigned value);
__device__ unsigned __reduce_max_sync(unsigned mask, unsigned value);
__device__ unsigned __reduce_min_sync(unsigned mask, unsigned value);
__device__ unsigned __reduce_or_sync(unsigned mask, unsigned value);
__device__ long long clock64();
__device__ int printf(const char* format, ...);
__device__ size_t __cvta_generic_to_shared(const void* pointer);
__device__ size_t __cvta_generic_to_global(const void* pointer);
}
__device__ unsigned __match_any_sync(unsigned mask, unsigned value);
__device__ unsigned __match_any_sync(unsigned mask, unsigned long long value);

#define SHIM_FOR_NUMBERS(declare) declare(int) declare(unsigned) declare(long long) declare(unsigned long long) declare(float) declare(double)
#define SHIM_SHUFFLES(type)                                                                \
    __device__ type __shfl_sync(unsigned mask, type value, int lane, int width = 32);      \
    __device__ type __shfl_up_sync(unsigned mask, type value, unsigned by, int width = 32);   \
    __device__ type __shfl_down_sync(unsigned mask, type value, unsigned by, int width = 32); \
    __device__ type __shfl_xor_sync(unsigned mask, type value, int with, int width = 32);
SHIM_FOR_NUMBERS(SHIM_SHUFFLES)

#define SHIM_LOADS(type)                          \
    __device__ type __ldg(const type* address);   \
    __device__ type __ldcs(const type* address);  \
    __device__ type __ldca(const type* address);  \
    __device__ type __ldcg(const type* address);  \
    __device__ void __stcs(type* address, type value); \
    __device__ void __stcg(type* address, type value);
SHIM_FOR_NUMBERS(SHIM_LOADS)
SHIM_LOADS(unsigned short)
SHIM_LOADS(uint2)
SHIM_LOADS(uint4)
SHIM_LOADS(float2)
SHIM_LOADS(float4)
SHIM_LOADS(int4)

// Atomics.
#define SHIM_ATOMICS(type)                                                   \
    __device__ type atomicAdd(type* address, type value);                    \
    __device__ type atomicSub(type* address, type value);                    \
    __device__ type atomicExch(type* address, type value);                   \
    __device__ type atomicMin(type* address, type value);                    \
    __device__ type atomicMax(type* address, type value);                    \
    __device__ type atomicAnd(type* address, type value);                    \
    __device__ type atomicOr(type* address, type value);                     \
    __device__ type atomicXor(type* address, type value);                    \
    __device__ type atomicCAS(type* address, type compare, type value);
SHIM_ATOMICS(int)
SHIM_ATOMICS(unsigned)
SHIM_ATOMICS(unsigned long long)
__device__ float atomicAdd(float* address, float value);
__device__ float atomicExch(float* address, float value);
__device__ unsigned atomicInc(unsigned* address, unsigned limit);

// Mathematics in float32 and float64.
#define SHIM_UNARY(name)                     \
    extern "C" __device__ float name##f(float x); \
    extern "C" __device__ double name(double x);
SHIM_UNARY(exp)
SHIM_UNARY(exp2)
SHIM_UNARY(expm1)
SHIM_UNARY(log)
SHIM_UNARY(log2)
SHIM_UNARY(log1p)
SHIM_UNARY(sqrt)
SHIM_UNARY(rsqrt)
SHIM_UNARY(sin)
SHIM_UNARY(cos)
SHIM_UNARY(tanh)
SHIM_UNARY(erf)
SHIM_UNARY(fabs)
SHIM_UNARY(floor)
SHIM_UNARY(ceil)
SHIM_UNARY(rint)
SHIM_UNARY(round)
SHIM_UNARY(trunc)
#define SHIM_BINARY(name)                               \
    extern "C" __device__ float name##f(float x, float y);   \
    extern "C" __device__ double name(double x, double y);
SHIM_BINARY(pow)
SHIM_BINARY(fmin)
SHIM_BINARY(fmax)
SHIM_BINARY(fmod)
SHIM_BINARY(copysign)
extern "C" {
__device__ float fmaf(float x, float y, float z);
__device__ double fma(double x, double y, double z);
__device__ void sincosf(float x, float* sine, float* cosine);
__device__ float __expf(float x);
__device__ float __exp10f(float x);
__device__ float __logf(float x);
__device__ float __log2f(float x);
__device__ float __sinf(float x);
__device__ float __cosf(float x);
__device__ float __powf(float x, float y);
__device__ float __fdividef(float x, float y);
__device__ float __frcp_rn(float x);
__device__ float __fsqrt_rn(float x);
__device__ float __frsqrt_rn(float x);
__device__ float __fdiv_rn(float x, float y);
__device__ float __fadd_rn(float x, float y);
__device__ float __fsub_rn(float x, float y);
__device__ float __fmul_rn(float x, float y);
__device__ float __fmaf_rn(float x, float y, float z);
__device__ double __dadd_rn(double x, double y);
__device__ double __dmul_rn(double x, double y);
__device__ double __ddiv_rn(double x, double y);
__device__ double __fma_rn(double x, double y, double z);
__device__ float __saturatef(float x);
__device__ int __float2int_rn(float x);
__device__ int __float2int_rd(float x);
__device__ int __float2int_rz(float x);
__device__ unsigned __float2uint_rn(float x);
__device__ float __int2float_rn(int x);
__device__ float __uint2float_rn(unsigned x);
__device__ float __double2float_rn(double x);
__device__ int __float_as_int(float x);
__device__ unsigned __float_as_uint(float x);
__device__ float __int_as_float(int x);
__device__ float __uint_as_float(unsigned x);
__device__ long long __double_as_longlong(double x);
__device__ double __longlong_as_double(long long x);
__device__ int abs(int x);
__device__ int __popc(unsigned x);
__device__ int __popcll(unsigned long long x);
__device__ int __clz(int x);
__device__ int __clzll(long long x);
__device__ int __ffs(int x);
__device__ int __ffsll(long long x);
__device__ unsigned __brev(unsigned x);
__device__ int __mulhi(int x, int y);
__device__ unsigned __umulhi(unsigned x, unsigned y);
__device__ unsigned long long __umul64hi(unsigned long long x, unsigned long long y);
__device__ unsigned __byte_perm(unsigned x, unsigned y, unsigned selector);
__device__ unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift);
__device__ unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift);
__device__ unsigned __vabsdiffu4(unsigned x, unsigned y);
__device__ int __dp4a(int x, int y, int sum);
}
#define SHIM_LIMITS(type)              \
    __device__ type min(type x, type y); \
    __device__ type max(type x, type y);
SHIM_FOR_NUMBERS(SHIM_LIMITS)
__device__ bool isnan(float x);
__device__ bool isinf(float x);
__device__ bool isfinite(float x);
