// x = cap * tanh(x / cap) in place, for the logits of models that bound them.
//   values   float32 [rows, columns], rows `stride` elements apart.
// A thread changes one vector of VECTOR elements (4: address, stride and columns are multiples of 4; 1: any); grid (rows, parts of a row).
// samples: VECTOR=4 | VECTOR=1
#include "Async.cuh"
#include "Functions.cuh"

SLUICE_INLINE float capped(float x, float cap) { return cap * hyperbolic_tangent(x / cap); }

extern "C" __global__ void __launch_bounds__(256) soft_cap(float* values, int stride, int columns, float cap) {
    i64 row = blockIdx.x;
    int column = (blockIdx.y * blockDim.x + threadIdx.x) * VECTOR;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (column >= columns) {
        return;
    }
    float* address = values + row * stride + column;
#if VECTOR == 4
    vec16 bits = load16(address);
    bits.x = float_bits(capped(bits_float(bits.x), cap));
    bits.y = float_bits(capped(bits_float(bits.y), cap));
    bits.z = float_bits(capped(bits_float(bits.z), cap));
    bits.w = float_bits(capped(bits_float(bits.w), cap));
    store16(address, bits);
#else
    *address = capped(*address, cap);
#endif
}
