// The tensor copy engine (sm_90): boxes of a tensor to shared memory, described by a map that the host encodes
// (cuTensorMapEncodeTiled) and passes by value as a `const __grid_constant__ TensorMap` parameter.
// Coordinates are in elements, the fastest dimension first; what lies outside the tensor arrives as zeros and counts as bytes.
#pragma once
#include "Barrier.cuh"

struct alignas(64) TensorMap {
    u64 words[16];
};

#if SLUICE_ARCH >= 90
SLUICE_INLINE void prefetch_map(const TensorMap& map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(reinterpret_cast<u64>(&map)) : "memory");
}

SLUICE_INLINE void copy_box_3d(u32 shared, const TensorMap& map, int x, int y, int z, u32 barrier) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];" ::"r"(shared),
        "l"(reinterpret_cast<u64>(&map)), "r"(x), "r"(y), "r"(z), "r"(barrier)
        : "memory");
}

SLUICE_INLINE void copy_box_4d(u32 shared, const TensorMap& map, int x, int y, int z, int w, u32 barrier) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(shared),
        "l"(reinterpret_cast<u64>(&map)), "r"(x), "r"(y), "r"(z), "r"(w), "r"(barrier)
        : "memory");
}
#endif
