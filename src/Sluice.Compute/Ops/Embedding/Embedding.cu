// output[t] = table[tokenIds[t]] * scale; a row of NaN for an id outside the table, which sampling reports.
//   output      activations [tokens, width], rows outputStride elements apart.
//   table       activations [vocabulary, width], contiguous; does not alias the output.
//   tokenIds    int32 [tokens].
// A thread makes one vector of VECTOR elements (8: addresses, the stride and width are multiples of 8; 1: any); grid (tokens, parts of a row).
// samples: VECTOR=8 | VECTOR=1
#include "Async.cuh"
#include "Vectors.cuh"

extern "C" __global__ void __launch_bounds__(256)
embedding(act_t* output, const act_t* table, const int* tokenIds, int outputStride, int width, int vocabulary, float scale) {
    i64 row = blockIdx.x;
    int column = (blockIdx.y * blockDim.x + threadIdx.x) * VECTOR;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (column >= width) {
        return;
    }
    i64 id = tokenIds[row];
    float values[VECTOR];
    if ((u64)id < (u64)vocabulary) {
        Vector<VECTOR> source;
        load(source, table + id * width + column);
        widen(values, source);
#pragma unroll
        for (int i = 0; i < VECTOR; i++) {
            values[i] *= scale;
        }
    } else {
#pragma unroll
        for (int i = 0; i < VECTOR; i++) {
            values[i] = bits_float(0x7fc00000u);
        }
    }
    Vector<VECTOR> result;
    narrow(result, values);
    store(output + row * outputStride + column, result);
}
