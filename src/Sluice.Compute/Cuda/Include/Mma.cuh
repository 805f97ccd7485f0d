// Tensor core products of 16 x 8 x 16 with float32 accumulation, and the loads that lay their operands out (sm_80 and later).
// Fragments, lane l of a warp with g = l / 4 and t = l % 4, two numbers a word, columns (k) 2t and 2t + 1:
//   a (16 x 16): a[0] row g, k 0-7; a[1] row g + 8, k 0-7; a[2] row g, k 8-15; a[3] row g + 8, k 8-15
//   b (16 x 8, "column major": k runs in memory): b[0] column g, k 0-7; b[1] column g, k 8-15
//   c (16 x 8): c[0], c[1] row g, columns 2t and 2t + 1; c[2], c[3] row g + 8
#pragma once
#include "Async.cuh"

SLUICE_INLINE void mma16816(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, bf16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

SLUICE_INLINE void mma16816(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1, f16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices of 16-bit numbers; lane l gives the address of row l % 8 of matrix l / 8 (16 bytes, aligned).
// Lane l receives of each matrix row l / 4, columns 2 (l % 4) and the next.
SLUICE_INLINE void load_matrices(u32 (&r)[4], u32 shared) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared)
                 : "memory");
}

// The same, each matrix transposed.
SLUICE_INLINE void load_matrices_transposed(u32 (&r)[4], u32 shared) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared)
                 : "memory");
}
