// Barriers of a block beyond __syncthreads: barriers in shared memory that also count arriving bytes (sm_90), and named barriers.
#pragma once
#include "Async.cuh"

#if SLUICE_ARCH >= 90
// One phase ends after `arrivals` arrivals and all announced bytes; the next begins by itself. By one thread, then
// fence_barrier_init and a __syncthreads before anybody uses it.
SLUICE_INLINE void barrier_init(u32 barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

SLUICE_INLINE void fence_barrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

SLUICE_INLINE void barrier_arrive(u32 barrier) {
    asm volatile("{ .reg .b64 state; mbarrier.arrive.shared::cta.b64 state, [%0]; }" ::"r"(barrier) : "memory");
}

// Arrives, and announces bytes that copies to this barrier will deliver in the phase.
SLUICE_INLINE void barrier_arrive_expect(u32 barrier, u32 bytes) {
    asm volatile("{ .reg .b64 state; mbarrier.arrive.expect_tx.shared::cta.b64 state, [%0], %1; }" ::"r"(barrier), "r"(bytes) : "memory");
}

// Waits for the end of the phase with this parity (0 for the first). The phase before the first counts as ended: parity 1 returns at once.
SLUICE_INLINE void barrier_wait(u32 barrier, u32 parity) {
    u32 done;
    do {
        asm volatile(
            "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
            : "=r"(done)
            : "r"(barrier), "r"(parity)
            : "memory");
    } while (!done);
}

// Makes this thread's ordinary writes to shared memory visible to tensor cores and bulk copies (before a barrier with their issuer).
SLUICE_INLINE void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
#endif

// Named barriers 1 to 15 (0 is __syncthreads): `threads` is the number that takes part, arrivals included; whole warps.
SLUICE_INLINE void named_barrier_sync(int barrier, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory"); }

SLUICE_INLINE void named_barrier_arrive(int barrier, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
