// output = f(gate) * up of a gated feed-forward layer, rounded once.
//   output   activations [rows, width], rows outputStride elements apart.
//   gateUp   activations [rows, gate | up], each `width` wide, rows gateUpStride elements apart; does not alias the output.
// ACTIVATION is f: 0 silu, 1 gelu by tanh, 2 gelu by the error function.
// A thread makes one vector of VECTOR elements (8: addresses, strides and width are multiples of 8; 1: any); grid (rows, parts of a row).
// samples: VECTOR=8 ACTIVATION=0 | VECTOR=8 ACTIVATION=1 | VECTOR=1 ACTIVATION=2
#include "Async.cuh"
#include "Functions.cuh"
#include "Vectors.cuh"

SLUICE_INLINE float activate(float x) {
#if ACTIVATION == 0
    return silu(x);
#elif ACTIVATION == 1
    return gelu_tanh(x);
#else
    return gelu(x);
#endif
}

extern "C" __global__ void __launch_bounds__(256)
gated_activation(act_t* output, const act_t* gateUp, int outputStride, int gateUpStride, int width) {
    i64 row = blockIdx.x;
    int column = (blockIdx.y * blockDim.x + threadIdx.x) * VECTOR;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (column >= width) {
        return;
    }
    const act_t* source = gateUp + row * gateUpStride + column;
    Vector<VECTOR> gate;
    Vector<VECTOR> up;
    load(gate, source);
    load(up, source + width);
    float gates[VECTOR];
    float ups[VECTOR];
    widen(gates, gate);
    widen(ups, up);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) {
        gates[i] = activate(gates[i]) * ups[i];
    }
    narrow(gate, gates);
    store(output + row * outputStride + column, gate);
}
