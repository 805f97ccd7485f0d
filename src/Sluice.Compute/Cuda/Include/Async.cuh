// Copies from device to shared memory that do not pass through registers (sm_80 and later).
#pragma once
#include "Types.cuh"

SLUICE_INLINE u32 shared_address(const void* pointer) {
    return (u32)__cvta_generic_to_shared(pointer);
}

// 16 bytes, or zeros where valid is false: nothing is read then.
SLUICE_INLINE void copy16_async(u32 shared, const void* global, bool valid) {
    int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(bytes) : "memory");
}

SLUICE_INLINE void copy16_async(u32 shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global) : "memory");
}

// 4, 8 or 16 bytes by one asynchronous copy, 1 or 2 by the thread itself; zeros where valid is false.
template <int size>
SLUICE_INLINE void copy_async(u32 shared, const u8* global, bool valid) {
    if constexpr (size == 16) {
        copy16_async(shared, global, valid);
    } else if constexpr (size >= 4) {
        int bytes = valid ? size : 0;
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared), "l"(global), "n"(size), "r"(bytes) : "memory");
    } else if constexpr (size == 2) {
        u16 value = valid ? *reinterpret_cast<const u16*>(global) : (u16)0;
        asm volatile("st.shared.u16 [%0], %1;" ::"r"(shared), "h"(value) : "memory");
    } else {
        u16 value = valid ? *global : (u16)0;
        asm volatile("st.shared.u8 [%0], %1;" ::"r"(shared), "h"(value) : "memory");
    }
}

SLUICE_INLINE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most `pending` of this thread's newest groups are still on their way.
template <int pending>
SLUICE_INLINE void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

// Programmatic dependent launch: a kernel may start while the one before it ends. Nothing that the earlier kernel writes may be
// read, and nothing that it reads may be written, before the wait. No effect when launched the ordinary way.
SLUICE_INLINE void wait_for_previous_kernel() {
#if SLUICE_ARCH >= 90
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

SLUICE_INLINE void let_next_kernel_start() {
#if SLUICE_ARCH >= 90
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
