// Root mean square norm of narrow groups of columns, such as the heads of queries and keys: the same formula, parameters and
// aliasing as RmsNorm.cu, with up to 32 threads a group and no barrier. A row has `groups` groups of WIDTH columns; groupCount = rows * groups.
// WIDTH, VECTOR (8: addresses, strides and WIDTH are multiples of 8 elements; 1: any) and THREADS, which is of a block and changes no
// bit, are compiled in. Grid over all groups.
// samples: WIDTH=128 VECTOR=8 THREADS=128 | WIDTH=80 VECTOR=8 THREADS=128 | WIDTH=33 VECTOR=1 THREADS=128
#include "Async.cuh"
#include "NormRow.cuh"

SLUICE_INLINE constexpr int next_power_of_two(int value) {
    int power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

extern "C" __global__ void __launch_bounds__(THREADS)
rms_norm_groups(act_t* output, act_t* x, const act_t* addend, const float* gain, int outputStride, int xStride, int addendStride,
                float epsilon, float gainOffset, int groups, i64 groupCount) {
    constexpr int vectors = WIDTH / VECTOR;
    constexpr int lanes = vectors >= 32 ? 32 : next_power_of_two(vectors);
    constexpr int each = (vectors + lanes - 1) / lanes;
    i64 index = (i64)blockIdx.x * (THREADS / lanes) + threadIdx.x / lanes;
    bool exists = index < groupCount;
    i64 row = index / groups;
    int start = (int)(index % groups) * WIDTH;
    RowPart<each, lanes> part;
    part.first = threadIdx.x % lanes;
    wait_for_previous_kernel();
    let_next_kernel_start();
    act_t* source = x + row * xStride + start;
    float sum = 0.0f;
    if (exists) {
        part.read(source);
        if (addend != nullptr) {
            part.add(source, addend + row * addendStride + start);
        }
#pragma unroll
        for (int k = 0; k < each; k++) {
            sum += part.square_sum(k);
        }
    }
#pragma unroll
    for (int offset = lanes / 2; offset > 0; offset >>= 1) {
        sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    }
    float factor = reciprocal_root(sum / WIDTH + epsilon);
    if (exists) {
#pragma unroll
        for (int k = 0; k < each; k++) {
            float gains[VECTOR];
            part.read_gain(gains, gain, k);
            part.write(output + row * outputStride + start, k, factor, gains, gainOffset);
        }
    }
}
