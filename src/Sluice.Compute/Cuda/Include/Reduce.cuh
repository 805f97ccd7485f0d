// Sums and maxima over the threads of a warp or a block; every thread gets the result, in an order that does not depend on timing.
#pragma once
#include "Types.cuh"

SLUICE_INLINE float warp_sum(float value) {
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    return value;
}

SLUICE_INLINE float warp_max(float value) {
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1) {
        float other = __shfl_xor_sync(0xffffffffu, value, offset);
        value = other > value ? other : value;
    }
    return value;
}

// Sum over a block of up to 1024 threads, whole warps. scratch: 32 floats of shared memory, free for the next use after the
// block's next barrier.
SLUICE_INLINE float block_sum(float value, float* scratch) {
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    int warps = (blockDim.x + 31) >> 5;
    value = warp_sum(value);
    if (lane == 0) {
        scratch[warp] = value;
    }
    __syncthreads();
    return warp_sum(lane < warps ? scratch[lane] : 0.0f);
}
