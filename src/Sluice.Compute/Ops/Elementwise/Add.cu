// accumulator += input, rounded to the activation type; used where a norm stands between two additions to the residual stream.
//   accumulator, input   activations [rows, columns], rows `...Stride` elements apart, not aliasing each other.
// A thread adds one vector of VECTOR elements (8: addresses, strides and columns are multiples of 8; 1: any); grid over all of them.
// samples: VECTOR=8 | VECTOR=1
#include "Async.cuh"
#include "Vectors.cuh"

extern "C" __global__ void __launch_bounds__(256)
add(act_t* accumulator, const act_t* input, int accumulatorStride, int inputStride, u32 vectorsInRow, u32 vectors) {
    u32 index = blockIdx.x * blockDim.x + threadIdx.x;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (index >= vectors) {
        return;
    }
    i64 row = index / vectorsInRow;
    u32 column = index % vectorsInRow * VECTOR;
    act_t* target = accumulator + row * accumulatorStride + column;
    Vector<VECTOR> left;
    Vector<VECTOR> right;
    load(left, target);
    load(right, input + row * inputStride + column);
    float sum[VECTOR];
    float other[VECTOR];
    widen(sum, left);
    widen(other, right);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
        sum[i] += other[i];
    }
    narrow(left, sum);
    store(target, left);
}
