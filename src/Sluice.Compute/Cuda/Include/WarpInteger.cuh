// Integers over the threads of a warp, and in shared memory. Integer sums have the same bits in every order.
#pragma once
#include "Types.cuh"

SLUICE_INLINE u32 warp_sum(u32 value) {
    u32 result;
    asm volatile("redux.sync.add.u32 %0, %1, 0xffffffff;" : "=r"(result) : "r"(value));
    return result;
}

SLUICE_INLINE u32 warp_max(u32 value) {
    u32 result;
    asm volatile("redux.sync.max.u32 %0, %1, 0xffffffff;" : "=r"(result) : "r"(value));
    return result;
}

SLUICE_INLINE u32 warp_min(u32 value) {
    u32 result;
    asm volatile("redux.sync.min.u32 %0, %1, 0xffffffff;" : "=r"(result) : "r"(value));
    return result;
}

SLUICE_INLINE u32 warp_ballot(bool vote) { return __ballot_sync(0xffffffffu, vote); }

SLUICE_INLINE u32 warp_read(u32 value, int lane) { return __shfl_sync(0xffffffffu, value, lane); }

SLUICE_INLINE u64 warp_read(u64 value, int lane) {
    u32 low = __shfl_sync(0xffffffffu, (u32)value, lane);
    u32 high = __shfl_sync(0xffffffffu, (u32)(value >> 32), lane);
    return ((u64)high << 32) | low;
}

// The sum of the values of this lane and those before it.
SLUICE_INLINE u64 warp_prefix_sum(u64 value) {
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int offset = 1; offset < 32; offset <<= 1) {
        u64 other = warp_read(value, lane - offset < 0 ? lane : lane - offset);
        value += lane >= offset ? other : 0;
    }
    return value;
}

SLUICE_INLINE u64 warp_sum(u64 value) {
    // Three parts whose sums over 32 lanes fit in 32 bits.
    u64 low = warp_sum((u32)value & 0x3ffffff);
    u64 middle = warp_sum((u32)(value >> 26) & 0x3ffffff);
    u64 high = warp_sum((u32)(value >> 52));
    return low + (middle << 26) + (high << 52);
}

SLUICE_INLINE int count_bits(u32 value) {
    int result;
    asm("popc.b32 %0, %1;" : "=r"(result) : "r"(value));
    return result;
}

// Returns the value before.
SLUICE_INLINE u32 shared_fetch_add(u32* address, u32 value) {
    u32 before;
    asm volatile("atom.relaxed.cta.shared.add.u32 %0, [%1], %2;"
                 : "=r"(before)
                 : "r"((u32)__cvta_generic_to_shared(address)), "r"(value)
                 : "memory");
    return before;
}

SLUICE_INLINE void shared_add(u32* address, u32 value) {
    asm volatile("red.relaxed.cta.shared.add.u32 [%0], %1;" ::"r"((u32)__cvta_generic_to_shared(address)), "r"(value) : "memory");
}

SLUICE_INLINE void shared_min(u32* address, u32 value) {
    asm volatile("red.relaxed.cta.shared.min.u32 [%0], %1;" ::"r"((u32)__cvta_generic_to_shared(address)), "r"(value) : "memory");
}

SLUICE_INLINE void global_add(int* address, int value) {
    asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(address), "r"(value) : "memory");
}
