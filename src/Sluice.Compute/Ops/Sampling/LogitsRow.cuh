// One row of logits and the cluster of thread blocks that works on it: maxima, sums in shared memory, the element at which a running sum
// reaches a value. All sums are of integers, so no result depends on how many blocks share the row, nor on timing.
#pragma once
#include "Cluster.cuh"
#include "Likelihood.cuh"
#include "WarpInteger.cuh"

#define ROW_THREADS 512
#define ROW_WARPS 16
#define ROW_BINS 2048
#define ROW_LIST 2048
#define MAX_CLUSTER 8

// Consecutive logits that a warp reads with one 16-byte load a lane; the unit that is skipped by its maximum.
#define ROW_BLOCK 128

struct RowControl {
    u64 cells[2][MAX_CLUSTER][3];    // what the blocks of the cluster tell each other, by turns
    u64 partials[3][ROW_WARPS];
    u64 decision;
    u64 rest;
    u64 countBefore;
    u64 countThrough;
    u32 listCount;
    u32 found;
    u32 firstBin;
    u32 binsBehind;
};

#define ROW_CONTROL_BYTES 1024
static_assert(sizeof(RowControl) <= ROW_CONTROL_BYTES, "RowControl");

// Shared memory of a block, in this order. The launcher computes the same (SamplingLaunch.SharedBytes):
// control, bins u32 [ROW_BINS], list u64 [max(ROW_LIST, blocks)], maxima u32 [blocks].
struct LogitsRow {
    const float* logits;
    int vocabulary;
    bool aligned;
    int firstBlock;     // of this thread block's part of the row
    int blockCount;
    u32 rank;
    u32 size;
    int lane;
    int warp;
    int turn;
    RowControl* control;
    u32* bins;          // zero between uses
    u64* list;          // candidates, or sums by block
    u32* maxima;        // key of the largest logit by block
    u32 maxKey;
    u32 lowestMaxKey;   // of the blocks that have a finite logit
    u32 finiteBlocks;
    float max;
    float scale;        // of the weights: 1 / temperature
};

SLUICE_INLINE LogitsRow open_row(const float* logits, int vocabulary, void* memory) {
    LogitsRow row;
    row.logits = logits;
    row.vocabulary = vocabulary;
    row.aligned = is_aligned16(logits);
    row.rank = cluster_rank();
    row.size = cluster_size();
    row.lane = threadIdx.x & 31;
    row.warp = threadIdx.x >> 5;
    row.turn = 0;
    int blocks = (vocabulary + ROW_BLOCK - 1) / ROW_BLOCK;
    int share = (blocks + (int)row.size - 1) / (int)row.size;
    int first = (int)row.rank * share;
    row.firstBlock = first < blocks ? first : blocks;
    row.blockCount = blocks - row.firstBlock < share ? blocks - row.firstBlock : share;
    u8* bytes = (u8*)memory;
    row.control = (RowControl*)bytes;
    row.bins = (u32*)(bytes + ROW_CONTROL_BYTES);
    row.list = (u64*)(row.bins + ROW_BINS);
    row.maxima = (u32*)(row.list + (share > ROW_LIST ? share : ROW_LIST));
    row.scale = 1.0f;
    for (int i = threadIdx.x; i < ROW_BINS; i += ROW_THREADS) {
        row.bins[i] = 0;
    }
    return row;
}

SLUICE_INLINE int first_id(const LogitsRow& row, int block) { return (row.firstBlock + block) * ROW_BLOCK + row.lane * 4; }

// Four consecutive logits a lane; negative infinity behind the end of the row.
SLUICE_INLINE void load_block(const LogitsRow& row, int block, float (&values)[4]) {
    int id = first_id(row, block);
    if (row.aligned && id + 4 <= row.vocabulary) {
        vec16 packed = load16(row.logits + id);
        values[0] = bits_float(packed.x);
        values[1] = bits_float(packed.y);
        values[2] = bits_float(packed.z);
        values[3] = bits_float(packed.w);
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            values[i] = id + i < row.vocabulary ? row.logits[id + i] : SLUICE_NEGATIVE_INFINITY;
        }
    }
}

// use(block, values) for every block of this thread block's part that wanted(block) says, a warp each; loads run `batch` blocks ahead.
template <int batch, typename Wanted, typename Use>
SLUICE_INLINE void visit_blocks(const LogitsRow& row, Wanted wanted, Use use) {
    for (int first = row.warp; first < row.blockCount; first += batch * ROW_WARPS) {
        float values[batch][4];
        bool visited[batch];
#pragma unroll
        for (int j = 0; j < batch; j++) {
            int block = first + j * ROW_WARPS;
            visited[j] = block < row.blockCount && wanted(block);
            if (visited[j]) {
                load_block(row, block, values[j]);
            }
        }
#pragma unroll
        for (int j = 0; j < batch; j++) {
            if (visited[j]) {
                use(first + j * ROW_WARPS, values[j]);
            }
        }
    }
}

// The order in which tokens are preferred, as one number: larger logits first, then lower ids.
SLUICE_INLINE u64 order_of(u32 key, u32 id) { return ((u64)~key << 32) | id; }

SLUICE_INLINE u32 key_of(u64 order) { return ~(u32)(order >> 32); }

// exp((logit - max) * scale), with the CPU's bits.
SLUICE_INLINE float weight_of(const LogitsRow& row, float logit) { return exp_of_negative(times(minus(logit, row.max), row.scale)); }

SLUICE_INLINE u64 mass_of(const LogitsRow& row, float logit) {
    WeightParts parts = weight_parts(weight_of(row, logit));
    return joined(parts.high, parts.low);
}

// Finds the key of the largest logit, and leaves those of the blocks in maxima. The first step on every row.
SLUICE_INLINE void scan_maxima(LogitsRow& row) {
    cluster_arrive();
    u32 highest = 0;
    u32 lowest = 0xffffffffu;
    u32 finite = 0;
    visit_blocks<8>(row, [](int) { return true; }, [&](int block, const float (&values)[4]) {
        u32 key = warp_max(order_key(max_or_nan(max_or_nan(values[0], values[1]), max_or_nan(values[2], values[3]))));
        if (row.lane == 0) {
            row.maxima[block] = key;
        }
        highest = key > highest ? key : highest;
        if (key > NEGATIVE_INFINITY_KEY) {
            lowest = key < lowest ? key : lowest;
            finite++;
        }
    });
    if (row.lane == 0) {
        row.control->partials[0][row.warp] = highest;
        row.control->partials[1][row.warp] = lowest;
        row.control->partials[2][row.warp] = finite;
    }
    __syncthreads();
    cluster_wait();
    u64(&cells)[MAX_CLUSTER][3] = row.control->cells[row.turn];
    if (row.warp == 0) {
        int lane = row.lane < ROW_WARPS ? row.lane : 0;
        highest = warp_max((u32)row.control->partials[0][lane]);
        lowest = warp_min((u32)row.control->partials[1][lane]);
        finite = warp_sum(row.lane < ROW_WARPS ? (u32)row.control->partials[2][lane] : 0u);
        if (row.lane < (int)row.size) {
            cluster_store(&cells[row.rank][0], row.lane, highest);
            cluster_store(&cells[row.rank][1], row.lane, lowest);
            cluster_store(&cells[row.rank][2], row.lane, finite);
        }
    }
    cluster_sync();
    row.maxKey = 0;
    row.lowestMaxKey = 0xffffffffu;
    row.finiteBlocks = 0;
    for (u32 rank = 0; rank < row.size; rank++) {
        u32 high = (u32)cells[rank][0];
        u32 low = (u32)cells[rank][1];
        row.maxKey = high > row.maxKey ? high : row.maxKey;
        row.lowestMaxKey = low < row.lowestMaxKey ? low : row.lowestMaxKey;
        row.finiteBlocks += (u32)cells[rank][2];
    }
    row.max = key_value(row.maxKey);
    row.turn ^= 1;
}

// After scan_maxima: the lowest id of the largest logit, in the thread block that holds it, and -1 in the others.
SLUICE_INLINE int find_maximum(LogitsRow& row) {
    u64(&cells)[MAX_CLUSTER][3] = row.control->cells[row.turn ^ 1];
    u32 owner = 0;
    while ((u32)cells[owner][0] != row.maxKey) {
        owner++;
    }
    if (owner != row.rank) {
        return -1;
    }
    if (threadIdx.x == 0) {
        row.control->found = 0xffffffffu;
    }
    __syncthreads();
    for (int block = threadIdx.x; block < row.blockCount; block += ROW_THREADS) {
        if (row.maxima[block] == row.maxKey) {
            shared_min(&row.control->found, (u32)block);
        }
    }
    __syncthreads();
    int block = (int)row.control->found;
    float values[4];
    load_block(row, block, values);
    u32 id = 0xffffffffu;
#pragma unroll
    for (int i = 3; i >= 0; i--) {
        id = order_key(values[i]) == row.maxKey ? (u32)(first_id(row, block) + i) : id;
    }
    return (int)warp_min(id);
}

// Sums over the thread blocks: of those before this one, of all, and this one's.
struct ClusterSum {
    u64 before, all, own;
};

// Every thread adds; every thread of the cluster gets the sums. All threads must call it.
template <int count>
SLUICE_INLINE void cluster_sums(LogitsRow& row, const u64 (&values)[count], ClusterSum (&sums)[count]) {
#pragma unroll
    for (int i = 0; i < count; i++) {
        u64 sum = warp_sum(values[i]);
        if (row.lane == 0) {
            row.control->partials[i][row.warp] = sum;
        }
    }
    __syncthreads();
    u64(&cells)[MAX_CLUSTER][3] = row.control->cells[row.turn];
    if (row.warp == 0) {
#pragma unroll
        for (int i = 0; i < count; i++) {
            u64 sum = warp_sum(row.lane < ROW_WARPS ? row.control->partials[i][row.lane] : 0ull);
            if (row.lane < (int)row.size) {
                cluster_store(&cells[row.rank][i], row.lane, sum);
            }
        }
    }
    cluster_sync();
#pragma unroll
    for (int i = 0; i < count; i++) {
        sums[i] = ClusterSum{0, 0, cells[row.rank][i]};
        for (u32 rank = 0; rank < row.size; rank++) {
            sums[i].before += rank < row.rank ? cells[rank][i] : 0;
            sums[i].all += cells[rank][i];
        }
    }
    row.turn ^= 1;
}

// One thread of one block tells the whole cluster a number, which is there after the next cluster_sync().
SLUICE_INLINE void tell_cluster(LogitsRow& row, u64 decision) {
    for (u32 rank = 0; rank < row.size; rank++) {
        cluster_store(&row.control->decision, rank, decision);
    }
}

// The sum of the values of this thread and those before it in the block.
SLUICE_INLINE u64 block_prefix_sum(LogitsRow& row, u64 value) {
    value = warp_prefix_sum(value);
    __syncthreads();
    if (row.lane == 31) {
        row.control->partials[0][row.warp] = value;
    }
    __syncthreads();
    for (int warp = 0; warp < row.warp; warp++) {
        value += row.control->partials[0][warp];
    }
    return value;
}

// Which number the running sum has to exceed: a given one, or a random share of the sum of all.
struct Target {
    bool isShare;
    u64 value;      // the number, or the share in 2^-53ths
};

// The first token, in the order of ids, at which the running sum of measure(value, id) exceeds the target, in the thread block that holds
// it, and -1 in the others. Only blocks with a logit of lowestKey or more are read.
template <typename Measure>
SLUICE_INLINE int locate(LogitsRow& row, u32 lowestKey, Target target, Measure measure) {
    u64* sums = row.list;
    for (int block = threadIdx.x; block < row.blockCount; block += ROW_THREADS) {
        sums[block] = 0;
    }
    __syncthreads();
    u64 values[1] = {0};
    visit_blocks<4>(row, [&](int block) { return row.maxima[block] >= lowestKey; }, [&](int block, const float (&logits)[4]) {
        u32 high = 0;
        u32 low = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            WeightParts parts = measure(logits[i], (u32)(first_id(row, block) + i));
            high += parts.high;
            low += parts.low;
        }
        u64 sum = joined(warp_sum(high), warp_sum(low));
        if (row.lane == 0) {
            sums[block] = sum;
            values[0] += sum;
        }
    });
    ClusterSum total[1];
    cluster_sums(row, values, total);
    u64 goal = target.isShare ? high_product(target.value << 11, total[0].all) : target.value;
    if (goal < total[0].before || goal - total[0].before >= total[0].own) {
        return -1;
    }
    goal -= total[0].before;

    int share = (row.blockCount + ROW_THREADS - 1) / ROW_THREADS;
    int first = (int)threadIdx.x * share;
    int end = first + share < row.blockCount ? first + share : row.blockCount;
    u64 own = 0;
    for (int block = first; block < end; block++) {
        own += sums[block];
    }
    u64 upTo = block_prefix_sum(row, own);
    if (upTo - own <= goal && goal < upTo) {
        u64 rest = goal - (upTo - own);
        int block = first;
        while (rest >= sums[block]) {
            rest -= sums[block++];
        }
        row.control->found = (u32)block;
        row.control->rest = rest;
    }
    __syncthreads();
    int block = (int)row.control->found;
    u64 rest = row.control->rest;
    float logits[4];
    load_block(row, block, logits);
    u64 masses[4];
    own = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        WeightParts parts = measure(logits[i], (u32)(first_id(row, block) + i));
        masses[i] = joined(parts.high, parts.low);
        own += masses[i];
    }
    upTo = warp_prefix_sum(own);
    u32 id = 0xffffffffu;
    if (upTo - own <= rest && rest < upTo) {
        rest -= upTo - own;
        int i = 0;
#pragma unroll
        for (int j = 0; j < 3; j++) {
            if (i == j && rest >= masses[j]) {
                rest -= masses[j];
                i++;
            }
        }
        id = (u32)(first_id(row, block) + i);
    }
    return (int)warp_min(id);
}
