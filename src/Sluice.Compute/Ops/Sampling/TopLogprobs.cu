// The log-softmax of each row of logits at a given token and at the most likely ones, in falling order, equals by the lower id.
//
// ids      int32 [rows, 1 + top], rows `idStride` apart: the given token first.
// logprobs float32 [rows, 1 + top], rows `logprobStride` apart.
// ranks    int32 [rows]: how many tokens are at least as likely as the given one.
// logits   float32 [rows, vocabulary], rows `stride` apart, not changed.
// tokenIds int32 [rows]: the given tokens. Where one is negative only a rank of 0 is written. In a row whose largest logit is not finite
//          all ids are the given one, all logprobs NaN, the rank 0.
//
// The sum of the exponentials is exact up to the rounding of each to 2^-42 of the largest, the logarithm is taken in double precision.
//
// Grid: clusters of 1 to 8 blocks of ROW_THREADS threads, one cluster a row. The most likely tokens are found, sorted and written in
// rounds of at most ROW_LIST.
#include "Async.cuh"
#include "Selection.cuh"

extern __shared__ vec16 sharedMemory[];

// Writes the `count` tokens of the first thread block's sorted list.
SLUICE_INLINE void write_list(const LogitsRow& row, int count, double normalizer, int* ids, float* logprobs) {
    for (int i = threadIdx.x; i < count; i += ROW_THREADS) {
        u64 order = row.list[i];
        ids[i] = (int)(u32)order;
        logprobs[i] = (float)(key_value(key_of(order)) - normalizer);
    }
}

SLUICE_INLINE void write_top(LogitsRow& row, int top, double normalizer, int* ids, float* logprobs) {
    top = top < row.vocabulary ? top : row.vocabulary;
    u64 all = order_of(NEGATIVE_INFINITY_KEY, (u32)row.vocabulary - 1);
    u64 after = 0;
    u32 high = row.maxKey;
    float span = 2 * (row.max - key_value(row.lowestMaxKey));
    for (int written = 0; written < top;) {
        u32 wanted = top - written < ROW_LIST ? (u32)(top - written) : ROW_LIST;
        Search search{after, all, NEGATIVE_INFINITY_KEY, high, 0, wanted, 0, span, false, 0, false};
        if (written == 0 && wanted <= row.finiteBlocks) {
            search.tryLow = bound_of_largest(row, wanted);
            search.few = wanted <= ROW_LIST / 2;
        }
        int listed;
        u64 last = select_last<false>(row, search, listed);
        if (search.above > 0 || listed == 0) {
            // The window did not begin with the most likely token: list all that are wanted.
            search = Search{after, last, key_of(last), high, 0, wanted, 0, 0, false, 0, false};
            collect<false>(row, search, Window{search.low, search.high});
            if (row.rank == 0) {
                sort_list(row, (int)wanted);
            }
            cluster_sync();
        }
        if (row.rank == 0) {
            write_list(row, (int)wanted, normalizer, ids + written, logprobs + written);
        }
        written += (int)wanted;
        after = last;
        float range = key_value(high) - key_value(key_of(last));
        span = range > 0 ? 4 * range : span;
        high = key_of(last);
    }
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS, 2) top_logprobs(
    int* ids, i64 idStride, float* logprobs, i64 logprobStride, int* ranks, const float* logits, i64 stride, int vocabulary,
    const int* tokenIds, int top) {
    int index = blockIdx.x / cluster_size();
    wait_for_previous_kernel();
    let_next_kernel_start();
    int token = tokenIds[index];
    if (token < 0) {
        if (cluster_rank() == 0 && threadIdx.x == 0) {
            ranks[index] = 0;
        }
        return;
    }
    ids += index * idStride;
    logprobs += index * logprobStride;
    LogitsRow row = open_row(logits + index * stride, vocabulary, sharedMemory);
    scan_maxima(row);
    if (row.maxKey >= POSITIVE_INFINITY_KEY || row.maxKey <= NEGATIVE_INFINITY_KEY) {
        if (row.rank == 0) {
            for (int i = threadIdx.x; i <= top; i += ROW_THREADS) {
                ids[i] = token;
                logprobs[i] = bits_float(0x7fffffffu);
            }
            if (threadIdx.x == 0) {
                ranks[index] = 0;
            }
        }
        return;
    }
    float own = row.logits[token];
    u32 ownKey = order_key(own);
    u64 values[2] = {0, 0};
    visit_blocks<4>(row, [](int) { return true; }, [&](int block, const float (&some)[4]) {
        u32 high = 0;
        u32 low = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            WeightParts parts = weight_parts(weight_of(row, some[i]));
            high += parts.high;
            low += parts.low;
            values[1] += order_key(some[i]) >= ownKey && first_id(row, block) + i < row.vocabulary ? 1 : 0;
        }
        values[0] += joined(high, low);
    });
    ClusterSum sums[2];
    cluster_sums(row, values, sums);
    double normalizer = row.max + log_exact((double)sums[0].all * (1.0 / (double)WEIGHT_ONE));
    if (row.rank == 0 && threadIdx.x == 0) {
        ids[0] = token;
        logprobs[0] = (float)(own - normalizer);
        ranks[index] = (int)sums[1].all;
    }
    write_top(row, top, normalizer, ids + 1, logprobs + 1);
}
