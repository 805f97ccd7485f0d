// output[r][o] = sum over k of input[r][k] * weight[o][k] (+ bias[o]) for a few rows: the time is that of reading the weight once.
//
// Shapes: input [rows, inFeatures] with a row stride, weight [outFeatures, inFeatures] contiguous, bias float32 [outFeatures] or null,
// output [rows, outFeatures] with a row stride, act_t or (OUTPUT_F32) float32. inFeatures and the input's row stride are multiples of
// 8 and both addresses of 16 bytes. rows <= ROWS, a multiple of 8. Nothing may alias the output.
// Grid: one block of WARPS warps for each TILES * 16 output features; the warps share the k range, 32 at a time in turn, and their
// sums are added in the order of the warps: a row's bits depend neither on the other rows nor on timing.
// The tensor cores take weights as rows and inputs as columns. Which k meets which slot of a fragment does not matter as long as both
// sides agree, so each lane loads 16 bytes of a row at a time and uses them as the slots of two products.
// Weights do not depend on the kernel before this one: the first of them are on their way before its end is waited for.
// samples: ROWS=8 TILES=1 WARPS=16 UNROLL=2 OUTPUT_F32=0 | ROWS=8 TILES=1 WARPS=16 UNROLL=2 OUTPUT_F32=1
#include "Mma.cuh"

#define ROW_TILES (ROWS / 8)

struct WeightBatch {
    vec16 low[UNROLL][TILES];   // rows g of each tile
    vec16 high[UNROLL][TILES];  // rows g + 8
};

SLUICE_INLINE void load_weights(WeightBatch& batch, const act_t* const (&low)[TILES], const act_t* const (&high)[TILES], int k, int inFeatures) {
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
        int at = k + u * WARPS * 32;
#pragma unroll
        for (int tile = 0; tile < TILES; tile++) {
            if (at < inFeatures) {
                batch.low[u][tile] = load16_streaming(low[tile] + at);
                batch.high[u][tile] = load16_streaming(high[tile] + at);
            } else {
                batch.low[u][tile] = vec16{0, 0, 0, 0};
                batch.high[u][tile] = vec16{0, 0, 0, 0};
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(WARPS * 32) skinny_linear(
    void* output, const act_t* input, const act_t* weight, const float* bias, int rows, int outFeatures, int inFeatures, int inputStride,
    int outputStride) {
    __shared__ float sums[WARPS][TILES * 16][ROWS + 1];
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    int g = lane >> 2;
    int firstFeature = blockIdx.x * (TILES * 16);
    int k = warp * 32 + (lane & 3) * 8;

    const act_t* low[TILES];
    const act_t* high[TILES];
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
        int feature = firstFeature + tile * 16 + g;
        // Rows beyond the last repeat it; their sums are not written.
        low[tile] = weight + (i64)(feature < outFeatures ? feature : outFeatures - 1) * inFeatures;
        high[tile] = weight + (i64)(feature + 8 < outFeatures ? feature + 8 : outFeatures - 1) * inFeatures;
    }

    WeightBatch next;
    load_weights(next, low, high, k, inFeatures);
    let_next_kernel_start();
    wait_for_previous_kernel();

    const act_t* rowInput[ROW_TILES];
    bool hasRow[ROW_TILES];
#pragma unroll
    for (int n = 0; n < ROW_TILES; n++) {
        hasRow[n] = n * 8 + g < rows;
        rowInput[n] = input + (i64)(hasRow[n] ? n * 8 + g : 0) * inputStride;
    }

    float total[TILES][ROW_TILES][4] = {};
    for (; k - (lane & 3) * 8 < inFeatures; k += UNROLL * WARPS * 32) {
        WeightBatch batch = next;
        load_weights(next, low, high, k + UNROLL * WARPS * 32, inFeatures);
        vec16 inputs[UNROLL][ROW_TILES];
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
#pragma unroll
            for (int n = 0; n < ROW_TILES; n++) {
                int at = k + u * WARPS * 32;
                inputs[u][n] = hasRow[n] && at < inFeatures ? load16(rowInput[n] + at) : vec16{0, 0, 0, 0};
            }
        }
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
#pragma unroll
            for (int tile = 0; tile < TILES; tile++) {
                u32 first[4] = {batch.low[u][tile].x, batch.high[u][tile].x, batch.low[u][tile].y, batch.high[u][tile].y};
                u32 second[4] = {batch.low[u][tile].z, batch.high[u][tile].z, batch.low[u][tile].w, batch.high[u][tile].w};
#pragma unroll
                for (int n = 0; n < ROW_TILES; n++) {
                    mma16816(total[tile][n], first, inputs[u][n].x, inputs[u][n].y, act_t{});
                    mma16816(total[tile][n], second, inputs[u][n].z, inputs[u][n].w, act_t{});
                }
            }
        }
    }

    int column = (lane & 3) * 2;
#pragma unroll
    for (int tile = 0; tile < TILES; tile++) {
#pragma unroll
        for (int n = 0; n < ROW_TILES; n++) {
            sums[warp][tile * 16 + g][n * 8 + column] = total[tile][n][0];
            sums[warp][tile * 16 + g][n * 8 + column + 1] = total[tile][n][1];
            sums[warp][tile * 16 + g + 8][n * 8 + column] = total[tile][n][2];
            sums[warp][tile * 16 + g + 8][n * 8 + column + 1] = total[tile][n][3];
        }
    }
    __syncthreads();

    for (int i = threadIdx.x; i < TILES * 16 * rows; i += WARPS * 32) {
        int row = i / (TILES * 16);
        int feature = i % (TILES * 16);
        if (firstFeature + feature >= outFeatures) {
            continue;
        }
        float value = 0.0f;
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            value += sums[w][feature][row];
        }
        if (bias != nullptr) {
            value += bias[firstFeature + feature];
        }
        i64 at = (i64)row * outputStride + firstFeature + feature;
#if OUTPUT_F32
        static_cast<float*>(output)[at] = value;
#else
        static_cast<act_t*>(output)[at] = rounded<act_t>(value);
#endif
    }
}
