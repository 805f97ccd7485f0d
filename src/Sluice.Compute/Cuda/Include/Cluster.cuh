// Thread block clusters: blocks that run at the same time and reach each other's shared memory (sm_90 and later).
// Before sm_90, and where no cluster was asked for, every block is a cluster of its own and the same code runs.
// A block may be reached until the last cluster_sync() that it takes part in.
#pragma once
#include "Types.cuh"

SLUICE_INLINE u32 cluster_rank() {
#if SLUICE_ARCH >= 90
    u32 rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
#else
    return 0;
#endif
}

SLUICE_INLINE u32 cluster_size() {
#if SLUICE_ARCH >= 90
    u32 size;
    asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
    return size;
#else
    return 1;
#endif
}

// The two halves of cluster_sync(). The first of a kernel must be behind every block before one reaches into another: a block that has
// not started has no shared memory yet.
SLUICE_INLINE void cluster_arrive() {
#if SLUICE_ARCH >= 90
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#endif
}

SLUICE_INLINE void cluster_wait() {
#if SLUICE_ARCH >= 90
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#else
    __syncthreads();
#endif
}

// Waits for all threads of the cluster; what they wrote before, anywhere, is visible after.
SLUICE_INLINE void cluster_sync() {
    cluster_arrive();
    cluster_wait();
}

// The address, in the shared memory of a block of the cluster, of what `own` is in this block's.
SLUICE_INLINE u32 cluster_address(const void* own, u32 rank) {
    u32 address = (u32)__cvta_generic_to_shared(own);
#if SLUICE_ARCH >= 90
    u32 mapped;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(mapped) : "r"(address), "r"(rank));
    return mapped;
#else
    (void)rank;
    return address;
#endif
}

#if SLUICE_ARCH >= 90
#define SLUICE_CLUSTER_SPACE "shared::cluster"
#define SLUICE_CLUSTER_ATOMIC "relaxed.cluster.shared::cluster"
#else
#define SLUICE_CLUSTER_SPACE "shared"
#define SLUICE_CLUSTER_ATOMIC "relaxed.cta.shared"
#endif

SLUICE_INLINE void cluster_store(u64* own, u32 rank, u64 value) {
    asm volatile("st." SLUICE_CLUSTER_SPACE ".u64 [%0], %1;" ::"r"(cluster_address(own, rank)), "l"(value) : "memory");
}

SLUICE_INLINE void cluster_add(u32* own, u32 rank, u32 value) {
    asm volatile("red." SLUICE_CLUSTER_ATOMIC ".add.u32 [%0], %1;" ::"r"(cluster_address(own, rank)), "r"(value) : "memory");
}

SLUICE_INLINE u64 cluster_load(const u64* own, u32 rank) {
    u64 value;
    asm volatile("ld." SLUICE_CLUSTER_SPACE ".u64 %0, [%1];" : "=l"(value) : "r"(cluster_address(own, rank)) : "memory");
    return value;
}
