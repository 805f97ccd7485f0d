// Whole blocks of the paged cache to pinned host memory, or back, in all layers at once.
//
//   layers  [layer_count][2]: address of the key blocks and of the value blocks of each layer
//   copies  [copy_count][2]: a block of the cache, and the address of its place on the host, a multiple of 16
//
// On the host a block's bytes lie together: layer after layer, in each the keys (key_bytes) before the values (value_bytes); both sizes
// are multiples of 16. The host memory is read and written in place over the bus; nothing is written twice.
// Used when preempted sequences are swapped, before the step's own kernels, in order with them.
//
// Grid: any number of blocks of 256 threads; each takes every gridDim.x-th (block, layer). A thread has 64 bytes on their way, so 32
// blocks of threads have half a megabyte, and the bus needs 0.1 MB to be full: on an H100 (PCIe 5.0 x16) 52 GB/s out and 51 back with
// 32 as with 1056 of them, 46 and 44 for a single block of 2 MiB, where the copy engine has 55.
#include "Types.cuh"

#define COPY_THREADS 256
#define COPY_VECTORS 4

// Host memory changes between kernels: never through the read-only path.
SLUICE_INLINE vec16 load16_once(const u8* address) {
    vec16 value;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                 : "l"(address)
                 : "memory");
    return value;
}

SLUICE_INLINE void move_bytes(u8* target, const u8* source, int bytes) {
    for (int start = (int)threadIdx.x * 16; start < bytes; start += COPY_THREADS * COPY_VECTORS * 16) {
        vec16 values[COPY_VECTORS];
#pragma unroll
        for (int i = 0; i < COPY_VECTORS; i++) {
            int offset = start + i * COPY_THREADS * 16;
            if (offset < bytes) {
                values[i] = load16_once(source + offset);
            }
        }
#pragma unroll
        for (int i = 0; i < COPY_VECTORS; i++) {
            int offset = start + i * COPY_THREADS * 16;
            if (offset < bytes) {
                store16(target + offset, values[i]);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(COPY_THREADS)
    copy_blocks(const i64* layers, const i64* copies, int layer_count, int copy_count, int key_bytes, int value_bytes, int to_host) {
    i64 units = (i64)layer_count * copy_count;
    for (i64 unit = blockIdx.x; unit < units; unit += gridDim.x) {
        int copy = (int)(unit / layer_count);
        int layer = (int)(unit % layer_count);
        i64 block = copies[2 * copy];
        u8* host = (u8*)copies[2 * copy + 1] + (i64)layer * ((i64)key_bytes + value_bytes);
        u8* keys = (u8*)layers[2 * layer] + block * key_bytes;
        u8* values = (u8*)layers[2 * layer + 1] + block * value_bytes;
        if (to_host) {
            move_bytes(host, keys, key_bytes);
            move_bytes(host + key_bytes, values, value_bytes);
        } else {
            move_bytes(keys, host, key_bytes);
            move_bytes(values, host + key_bytes, value_bytes);
        }
    }
}
