// Root mean square norm of wide rows: y = x / sqrt(mean(x^2) + epsilon) * (gain + gainOffset) over each group of WIDTH columns.
// With an addend: x += addend first, rounded to the activation type and stored in place; the norm is that of the stored x.
//   output, x, addend   activations [rows, groups * WIDTH], rows `...Stride` elements apart. Output may be x without an addend,
//                       and the addend may be null; otherwise none aliases another.
//   gain                float32 [WIDTH], written by no kernel of a step: it is read before the wait for the previous kernel.
// WIDTH, VECTOR (8: addresses, strides and WIDTH are multiples of 8 elements; 1: any) and THREADS are compiled in. Grid (rows, groups).
// One pass: the row stays in registers. Squares are summed over vectors in order, then over 32 neighbouring vectors, then over
// those sums: the same bits for any THREADS.
// samples: WIDTH=4096 VECTOR=8 THREADS=512 | WIDTH=16384 VECTOR=8 THREADS=1024 | WIDTH=3001 VECTOR=1 THREADS=1024
#include "Async.cuh"
#include "NormRow.cuh"
#include "Reduce.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
rms_norm_rows(act_t* output, act_t* x, const act_t* addend, const float* gain, int outputStride, int xStride, int addendStride,
              float epsilon, float gainOffset) {
    constexpr int each = (WIDTH / VECTOR + THREADS - 1) / THREADS;
    constexpr int warps = THREADS / 32;
    constexpr int sums = each * warps;
    __shared__ float scratch[sums];
    i64 row = blockIdx.x;
    int start = blockIdx.y * WIDTH;
    int lane = threadIdx.x & 31;
    RowPart<each, THREADS> part;
    part.first = threadIdx.x;
    float gains[each][VECTOR];
#pragma unroll
    for (int k = 0; k < each; k++) {
        part.read_gain(gains[k], gain, k);
    }
    wait_for_previous_kernel();
    let_next_kernel_start();
    act_t* source = x + row * xStride + start;
    part.read(source);
    if (addend != nullptr) {
        part.add(source, addend + row * addendStride + start);
    }
#pragma unroll
    for (int k = 0; k < each; k++) {
        float sum = warp_sum(part.square_sum(k));
        if (lane == 0) {
            scratch[k * warps + (threadIdx.x >> 5)] = sum;
        }
    }
    __syncthreads();
    float total = 0.0f;
#pragma unroll
    for (int i = 0; i < sums; i += 32) {
        if (i + lane < sums) {
            total += scratch[i + lane];
        }
    }
    total = warp_sum(total);
    float factor = reciprocal_root(total / WIDTH + epsilon);
#pragma unroll
    for (int k = 0; k < each; k++) {
        part.write(output + row * outputStride + start, k, factor, gains[k], gainOffset);
    }
}
