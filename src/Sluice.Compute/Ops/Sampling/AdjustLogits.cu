// Changes rows of logits before a token is chosen, in this order: tokens outside the row's mask get negative infinity, edits are added,
// then penalties of tokens that were seen: repetition divides positive and multiplies other logits, frequency and presence are subtracted.
// The arithmetic is the CPU's, operation by operation.
//
// logits     float32 [rows, vocabulary], rows `stride` apart, changed in place.
// parameters a LogitRow for each row, 8 words.
// masks      int32 [masks, vocabulary / 32 rounded up], rows `maskStride` apart: bit t % 32 of word t / 32 keeps token t.
// edits      (token, value) pairs; those of one token are added in their order.
// counts     int32 [sequences, vocabulary], rows `countStride` apart: times generated, and in the sign bit whether in the prompt.
//
// Grid: x = parts of ADJUST_PART tokens, y = rows. A block of a row that nothing changes reads its parameters and ends.
#include "Async.cuh"
#include "ExactMath.cuh"

#define ADJUST_THREADS 256
#define ADJUST_PART 4096

struct LogitParameters {
    int maskRow, countRow, editStart, editCount;
    float repetition, frequency, presence;
    int unused;
};

struct LogitEdit {
    int token;
    float value;
};

SLUICE_INLINE float penalized(float logit, int count, const LogitParameters& row) {
    float value = logit > 0 ? over(logit, row.repetition) : times(logit, row.repetition);
    int generated = count & 0x7fffffff;
    if (generated > 0) {
        value = minus(value, times(row.frequency, (float)generated));
        value = minus(value, row.presence);
    }
    return value;
}

extern "C" __global__ void __launch_bounds__(ADJUST_THREADS) adjust_logits(
    float* logits, i64 stride, int vocabulary, const LogitParameters* parameterRows, const u32* masks, i64 maskStride,
    const LogitEdit* edits, const int* counts, i64 countStride) {
    wait_for_previous_kernel();
    let_next_kernel_start();
    const LogitParameters row = parameterRows[blockIdx.y];
    logits += blockIdx.y * stride;
    int first = blockIdx.x * ADJUST_PART;
    int end = first + ADJUST_PART < vocabulary ? first + ADJUST_PART : vocabulary;

    if (row.maskRow >= 0) {
        const u32* mask = masks + row.maskRow * maskStride;
        for (int id = first + (int)threadIdx.x * 4; id < end; id += ADJUST_THREADS * 4) {
            u32 kept = mask[id >> 5] >> (id & 31) & 15;
            if (kept != 15) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    if ((kept >> i & 1) == 0 && id + i < end) {
                        logits[id + i] = SLUICE_NEGATIVE_INFINITY;
                    }
                }
            }
        }
        __syncthreads();
    }

    if (row.editCount > 0) {
        edits += row.editStart;
        for (int e = threadIdx.x; e < row.editCount; e += ADJUST_THREADS) {
            int token = edits[e].token;
            if (token < first || token >= end) {
                continue;
            }
            bool isFirst = true;
            for (int other = 0; other < e && isFirst; other++) {
                isFirst = edits[other].token != token;
            }
            if (isFirst) {
                float value = plus(logits[token], edits[e].value);
                for (int other = e + 1; other < row.editCount; other++) {
                    value = edits[other].token == token ? plus(value, edits[other].value) : value;
                }
                logits[token] = value;
            }
        }
        __syncthreads();
    }

    if (row.countRow >= 0) {
        counts += row.countRow * countStride;
        bool aligned = is_aligned16(counts);
        for (int id = first + (int)threadIdx.x * 4; id < end; id += ADJUST_THREADS * 4) {
            int seen[4];
            if (aligned && id + 4 <= end) {
                vec16 packed = load16(counts + id);
                seen[0] = (int)packed.x;
                seen[1] = (int)packed.y;
                seen[2] = (int)packed.z;
                seen[3] = (int)packed.w;
            } else {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    seen[i] = id + i < end ? counts[id + i] : 0;
                }
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (seen[i] != 0) {
                    logits[id + i] = penalized(logits[id + i], seen[i], row);
                }
            }
        }
    }
}
