// Chooses a token for each row of logits: the most likely one, or one by chance after temperature, min-p, top-k and top-p, in this order.
//
// logits      float32 [rows, vocabulary], rows `stride` apart, not changed.
// parameters  a SamplingRow for each row, 12 words.
// tokenIds    int32 [rows]: the token; -1 when a logit is NaN or positive infinity, -2 when all are negative infinity.
// lastSampled int32: the row's token goes to its slot, 0 when there is none.
// counts      int32 [sequences, vocabulary], rows `countStride` apart, or null: the row's token is counted.
//
// A weight is exp((logit - max) / temperature) with the CPU's bits, as a whole number of 2^-42ths. Sums are exact, so that a choice
// depends on nothing but its row: neither on the batch, nor on how many blocks share the row, nor on the chip. The draw is that of
// the CPU: the first token, in the order of ids, at which the sum of the kept weights exceeds a random share of them all.
//
// Grid: clusters of 1 to 8 blocks of ROW_THREADS threads, one cluster a row. A greedy row is read once, a row with a temperature twice,
// a filtered row a few times more, where blocks of logits that cannot matter are skipped.
#include "Async.cuh"
#include "Selection.cuh"

struct SamplingRow {
    float temperature, minP;
    int topK;
    float topP;
    u32 seedLow, seedHigh, counter;
    int slot, countRow, unused[3];
};

#define NOT_FINITE (-1)
#define NOTHING_POSSIBLE (-2)

extern __shared__ vec16 sharedMemory[];

SLUICE_INLINE void publish(int token, int index, const SamplingRow& parameters, int* tokenIds, int* lastSampled, int* counts, i64 countStride) {
    tokenIds[index] = token;
    if (parameters.slot >= 0) {
        lastSampled[parameters.slot] = token > 0 ? token : 0;
    }
    if (parameters.countRow >= 0 && token >= 0 && counts != nullptr) {
        global_add(counts + parameters.countRow * countStride + token, 1);
    }
}

// The kept tokens: the end of the order of preference up to which they go.
SLUICE_INLINE u64 filter(LogitsRow& row, const SamplingRow& parameters) {
    u32 lowest = LOWEST_FINITE_KEY;
    if (parameters.minP > 0) {
        u32 key = order_key(plus(row.max, times(parameters.temperature, (float)log_exact(parameters.minP))));
        lowest = key > lowest ? key : lowest;
    }
    u64 last = order_of(lowest, 0xffffffffu);
    int listed;
    bool limited = parameters.topK > 0 && parameters.topK < row.vocabulary;
    if (limited) {
        u32 wanted = (u32)parameters.topK;
        Search search{0, last, lowest, row.maxKey, 0, wanted, 0, 2 * (row.max - key_value(row.lowestMaxKey)), false, 0, false};
        if (wanted <= row.finiteBlocks) {
            u32 bound = bound_of_largest(row, wanted);
            search.tryLow = bound > lowest ? bound : lowest;
            search.few = wanted <= ROW_LIST / 2;
        }
        last = select_last<false>(row, search, listed);
    }
    if (parameters.topP < 1) {
        // Tokens that each hold less than (1 - p) / vocabulary of the mass hold less than 1 - p together: none of them is needed.
        double range = parameters.temperature * log_exact(row.vocabulary / (1.0 - parameters.topP));
        bool few = limited && parameters.topK <= ROW_LIST;
        Search search{0, last, key_of(last), row.maxKey, 0, 0, parameters.topP, 1.001f * (float)range, few, key_of(last), false};
        last = select_last<true>(row, search, listed);
    }
    return last;
}

SLUICE_INLINE int draw(LogitsRow& row, const SamplingRow& parameters) {
    row.scale = over(1.0f, parameters.temperature);
    u64 last = filter(row, parameters);
    Target target{true, philox_bits(parameters.seedLow, parameters.seedHigh, parameters.counter)};
    return locate(row, key_of(last), target, [&](float logit, u32 id) {
        WeightParts parts = weight_parts(weight_of(row, logit));
        bool kept = order_of(order_key(logit), id) <= last;
        return WeightParts{kept ? parts.high : 0u, kept ? parts.low : 0u};
    });
}

extern "C" __global__ void __launch_bounds__(ROW_THREADS, 2) sample_tokens(
    int* tokenIds, const float* logits, i64 stride, int vocabulary, const SamplingRow* parameterRows, int* lastSampled, int* counts,
    i64 countStride) {
    int index = blockIdx.x / cluster_size();
    LogitsRow row = open_row(logits + index * stride, vocabulary, sharedMemory);
    wait_for_previous_kernel();
    let_next_kernel_start();
    const SamplingRow parameters = parameterRows[index];
    scan_maxima(row);

    int token;
    if (row.maxKey >= POSITIVE_INFINITY_KEY) {
        token = row.rank == 0 ? NOT_FINITE : NOTHING_POSSIBLE - 1;
    } else if (row.maxKey <= NEGATIVE_INFINITY_KEY) {
        token = row.rank == 0 ? NOTHING_POSSIBLE : NOTHING_POSSIBLE - 1;
    } else {
        token = parameters.temperature == 0 || parameters.topK == 1 ? find_maximum(row) : draw(row, parameters);
        token = token >= 0 ? token : NOTHING_POSSIBLE - 1;
    }
    if (threadIdx.x == 0 && token >= NOTHING_POSSIBLE) {
        publish(token, index, parameters, tokenIds, lastSampled, counts, countStride);
    }
}
