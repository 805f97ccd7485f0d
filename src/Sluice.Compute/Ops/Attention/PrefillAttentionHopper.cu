// Causal attention of many query rows over the paged key-value cache for compute capability 9.0: what PrefillAttention.cu defines, with
// warpgroup products (wgmma) on tiles that the tensor copy engine brings.
//
// HEAD_DIM 64, 128 or 256 for keys and values alike, 16-bit cache, GROUP <= 128, blocks of a multiple of 16 tokens.
// query_map: queries as (HEAD_DIM, heads, tokens), boxes of (64, GROUP, TileTokens).
// key_map and value_map: the cache as (64, 8, HEAD_DIM / 64, all tokens of all blocks and heads / 8), which is (columns, rows, column groups,
// row groups), boxes of (64, 8, HEAD_DIM / 64, 2): 16 tokens. All with 128-byte swizzle, and zeros outside.
// output [tokens, heads * HEAD_DIM], rows strided, 16-byte aligned; counters: two ints, zero before the first launch, left at zero.
//
// A block stays on its multiprocessor and takes work items until none is left: one warp (of a warpgroup that gave its registers away)
// fetches items and keeps the copy engine busy; two warpgroups compute 64 packed rows each (packed row = token * GROUP + head of group) of a
// tile of TileTokens tokens. Items are numbered like the tiles of PrefillAttention.cu, long ones first.
// One warpgroup's softmax overlaps with the other's products (explicit turns at the tensor cores gained nothing: 4 x 4,096 tokens ran at
// 655 TFLOP/s with them, 662 without) and with its own product of the previous chunk and the values. Chunks go from the last,
// which the causal mask cuts, to the first.
//
// Used by PrefillAttentionHopperCuda, except with --batch-invariant.
#include "Tma.cuh"
#include "Wgmma.cuh"

#ifndef HEAD_DIM
#define HEAD_DIM 128
#define GROUP 4
#define BLOCK_SIZE 16
#define WINDOW 0
#define SOFT_CAP 0
#endif

#if SLUICE_ARCH == 90
constexpr int Threads = 384;
constexpr int TileRows = 128;
constexpr int TileTokens = TileRows / GROUP;
constexpr int KeyTile = HEAD_DIM <= 128 ? 128 : 64;
constexpr int ColumnGroups = HEAD_DIM / 64;
constexpr int QueryBuffers = HEAD_DIM <= 128 ? 2 : 1;
constexpr int Stages = 2;
constexpr int CopyTokens = 16;

// Eight tokens of all column groups: an atom of 1024 bytes a column group.
constexpr u32 RowGroupBytes = 8 * HEAD_DIM * 2;
constexpr u32 AtomBytes = 1024;
constexpr u32 TileBytes = KeyTile * HEAD_DIM * 2;
constexpr u32 QueryColumnGroupBytes = TileRows * 128;
constexpr u32 QueryBytes = ColumnGroups * QueryColumnGroupBytes;

// Named barrier of both computing warpgroups.
constexpr int ConsumerBarrier = 1;

// What the consumers need to know of an item.
struct Item {
    int first_row;       // of the batch
    int token_count;     // 0: no more items
    int first_position;  // of the first row
    int context;         // cached tokens of the sequence
    int kv_head;
    int first_chunk;
    int last_chunk;
};

struct SharedMemory {
    u8 queries[QueryBuffers][QueryBytes];
    u8 keys[Stages][TileBytes];
    u8 values[Stages][TileBytes];
    Item items[QueryBuffers];
    alignas(8) u64 queries_full[QueryBuffers];
    u64 queries_empty[QueryBuffers];
    u64 keys_full[Stages];
    u64 keys_empty[Stages];
    u64 values_full[Stages];
    u64 values_empty[Stages];
};

// A place in a ring of buffers; parity turns with every round.
template <int count>
struct Ring {
    int index = 0;
    u32 parity = 0;

    __device__ __forceinline__ void next() {
        if (++index == count) {
            index = 0;
            parity ^= 1;
        }
    }
};

// See PrefillAttention.cu.
SLUICE_INLINE int find_sequence(const int* query_starts, int sequence_count, int tile) {
    int lane = threadIdx.x & 31;
    int step = (sequence_count + 31) / 32;
    int probe = lane * step;
    bool before = probe < sequence_count && query_starts[probe] / TileTokens + probe <= tile;
    int first = (__popc(__ballot_sync(0xffffffffu, before)) - 1) * step;
    int count = 0;
    for (int offset = 0; offset < step; offset += 32) {
        probe = first + offset + lane;
        before = offset + lane < step && probe < sequence_count && query_starts[probe] / TileTokens + probe <= tile;
        count += __popc(__ballot_sync(0xffffffffu, before));
    }
    return first + count - 1;
}

// Copies the keys or values of a chunk, 16 tokens a lane. Tokens outside [start, end) are not seen: blocks of nothing else become zeros.
SLUICE_INLINE void copy_chunk(u32 target, const TensorMap& map, const int* table, int kv_head, int kv_heads, int chunk, int start, int end,
                              u32 barrier) {
    int lane = threadIdx.x & 31;
    if (lane < KeyTile / CopyTokens) {
        int token = chunk * KeyTile + lane * CopyTokens;
        int row_group = -2;
        if (token < end && token + CopyTokens > start) {
            row_group = ((table[token / BLOCK_SIZE] * kv_heads + kv_head) * BLOCK_SIZE + token % BLOCK_SIZE) / 8;
        }
        copy_box_4d(target + lane * (CopyTokens / 8) * RowGroupBytes, map, 0, 0, 0, row_group, barrier);
    }
}

SLUICE_INLINE float capped(float score, float scale, float soft_cap, float inverse_cap) {
    float e = exp2_fast(score * scale * inverse_cap * (2.0f * SLUICE_LOG2E));
    float quotient;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(quotient) : "f"(1.0f + e));
    return soft_cap - 2.0f * soft_cap * quotient;
}

// Exchanges words among the four lanes of a row so that word i of lane t becomes word t of lane i.
SLUICE_INLINE void transpose_words(u32 (&words)[4]) {
    int lane = threadIdx.x & 3;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        u32 sent = (lane & 2) ? words[i] : words[i + 2];
        u32 received = __shfl_xor_sync(0xffffffffu, sent, 2);
        if (lane & 2) {
            words[i] = received;
        } else {
            words[i + 2] = received;
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        u32 sent = (lane & 1) ? words[i] : words[i + 1];
        u32 received = __shfl_xor_sync(0xffffffffu, sent, 1);
        if (lane & 1) {
            words[i] = received;
        } else {
            words[i + 1] = received;
        }
    }
}

// The running softmax of a lane's two rows.
struct Rows {
    int positions[2];
    float maxima[2];
    float sums[2];
    float factors[2];
};

struct Softmax {
    float scale;
    float scale_log2;
    float soft_cap;
    float inverse_cap;
    int window;
};

// Scores of a chunk to weights relative to the new maxima; factors carry what was summed before to them.
SLUICE_INLINE void weigh(float (&scores)[KeyTile / 2], Rows& rows, const Softmax& softmax, int chunk, bool masked) {
    if (SOFT_CAP) {
#pragma unroll
        for (int i = 0; i < KeyTile / 2; i++) {
            scores[i] = capped(scores[i], softmax.scale, softmax.soft_cap, softmax.inverse_cap);
        }
    }
    if (masked) {
        int first_column = chunk * KeyTile + (threadIdx.x & 3) * 2;
#pragma unroll
        for (int i = 0; i < KeyTile / 2; i++) {
            int behind = rows.positions[(i >> 1) & 1] - (first_column + (i >> 2) * 8 + (i & 1));
            if (behind < 0 || (WINDOW && behind >= softmax.window)) {
                scores[i] = SLUICE_NEGATIVE_INFINITY;
            }
        }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float maximum = rows.maxima[half];
#pragma unroll
        for (int i = half * 2; i < KeyTile / 2; i += 4) {
            maximum = fmaxf(maximum, fmaxf(scores[i], scores[i + 1]));
        }
        maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 1));
        maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 2));
        // A row that has seen nothing yet: any finite number does in place of the maximum.
        float negated = maximum == SLUICE_NEGATIVE_INFINITY ? 0.0f : -maximum * softmax.scale_log2;
        rows.factors[half] = exp2_fast(fmaf(rows.maxima[half], softmax.scale_log2, negated));
        rows.maxima[half] = maximum;
        float sum = 0.0f;
#pragma unroll
        for (int i = half * 2; i < KeyTile / 2; i += 4) {
            scores[i] = exp2_fast(fmaf(scores[i], softmax.scale_log2, negated));
            scores[i + 1] = exp2_fast(fmaf(scores[i + 1], softmax.scale_log2, negated));
            sum += scores[i] + scores[i + 1];
        }
        rows.sums[half] = fmaf(rows.sums[half], rows.factors[half], sum);
    }
}

SLUICE_INLINE void pack_weights(u32 (&weights)[KeyTile / 4], const float (&scores)[KeyTile / 2]) {
#pragma unroll
    for (int i = 0; i < KeyTile / 4; i++) {
        weights[i] = pack2(scores[2 * i], scores[2 * i + 1], act_t{});
    }
}

SLUICE_INLINE void multiply_keys(float (&scores)[KeyTile / 2], u64 queries, u64 keys) {
#pragma unroll
    for (int k = 0; k < HEAD_DIM / 16; k++) {
        wgmma_shared(scores, advanced(queries, k / 4 * QueryColumnGroupBytes + k % 4 * 32), advanced(keys, k / 4 * AtomBytes + k % 4 * 32), k > 0);
    }
}

SLUICE_INLINE void multiply_values(float (&outputs)[HEAD_DIM / 2], const u32 (&weights)[KeyTile / 4], u64 values) {
#pragma unroll
    for (int k = 0; k < KeyTile / 16; k++) {
        wgmma_registers(outputs, weights + k * 4, advanced(values, k * 2 * RowGroupBytes));
    }
}

// Tokens of the last block beyond the context may be anything, NaN too, and zero weights do not undo that: they become zeros.
SLUICE_INLINE void clear_unused_values(u8* values, int chunk, int context) {
    int first = context - chunk * KeyTile;
    int end = (first + CopyTokens - 1) / CopyTokens * CopyTokens;
    if (first < KeyTile && first < end) {
        for (int i = (int)threadIdx.x - 128; i < (end - first) * (HEAD_DIM / 8); i += 256) {
            int row = first + i / (HEAD_DIM / 8);
            int column = i % (HEAD_DIM / 8);
            store16(values + row / 8 * RowGroupBytes + column / 8 * AtomBytes + row % 8 * 128 + column % 8 * 16, vec16{0, 0, 0, 0});
        }
        fence_async_proxy();
        named_barrier_sync(ConsumerBarrier, 256);
    }
}

SLUICE_INLINE void produce(SharedMemory& shared, const TensorMap& query_map, const TensorMap& key_map, const TensorMap& value_map,
                           const int* query_starts, const int* context_lengths, const int* block_tables, int* counters, int table_stride,
                           int sequence_count, int kv_heads, int item_count, int decode_rows, int window) {
    int lane = threadIdx.x & 31;
    Ring<QueryBuffers> query_ring;
    Ring<Stages> ring;
    int number = blockIdx.x;
    while (number < item_count) {
        int reversed = item_count - 1 - number;
        int tile = reversed / kv_heads;
        int kv_head = reversed % kv_heads;
        int sequence = find_sequence(query_starts, sequence_count, tile);
        int first_row = query_starts[sequence];
        int query_count = query_starts[sequence + 1] - first_row;
        int first_token = (tile - (first_row / TileTokens + sequence)) * TileTokens;
        if (query_count > decode_rows && first_token < query_count) {
            int context = context_lengths[sequence];
            int first_position = context - query_count + first_token;
            int token_count = query_count - first_token < TileTokens ? query_count - first_token : TileTokens;
            int end = first_position + token_count;
            int start = 0;
            if (WINDOW) {
                start = first_position - window + 1;
                start = start > 0 ? start : 0;
            }
            const int* table = block_tables + (i64)sequence * table_stride;
            int first_chunk = start / KeyTile;
            int last_chunk = (end - 1) / KeyTile;

            int slot = query_ring.index;
            barrier_wait(shared_address(&shared.queries_empty[slot]), query_ring.parity ^ 1);
            if (lane == 0) {
                shared.items[slot] = Item{first_row + first_token, token_count, first_position, context, kv_head, first_chunk, last_chunk};
                u32 barrier = shared_address(&shared.queries_full[slot]);
                barrier_arrive_expect(barrier, TileTokens * GROUP * HEAD_DIM * 2);
#pragma unroll
                for (int i = 0; i < ColumnGroups; i++) {
                    copy_box_3d(shared_address(shared.queries[slot] + i * QueryColumnGroupBytes), query_map, i * 64, kv_head * GROUP,
                                first_row + first_token, barrier);
                }
            }
            query_ring.next();
            for (int chunk = last_chunk; chunk >= first_chunk; chunk--) {
                u32 barrier = shared_address(&shared.keys_full[ring.index]);
                barrier_wait(shared_address(&shared.keys_empty[ring.index]), ring.parity ^ 1);
                if (lane == 0) {
                    barrier_arrive_expect(barrier, TileBytes);
                }
                __syncwarp();
                copy_chunk(shared_address(shared.keys[ring.index]), key_map, table, kv_head, kv_heads, chunk, start, context, barrier);
                barrier = shared_address(&shared.values_full[ring.index]);
                barrier_wait(shared_address(&shared.values_empty[ring.index]), ring.parity ^ 1);
                if (lane == 0) {
                    barrier_arrive_expect(barrier, TileBytes);
                }
                __syncwarp();
                copy_chunk(shared_address(shared.values[ring.index]), value_map, table, kv_head, kv_heads, chunk, start, context, barrier);
                ring.next();
            }
        }
        // Not earlier: a block that is free would go without the item that this one has put by.
        int next = 0;
        if (lane == 0) {
            next = (int)gridDim.x + atomicAdd(&counters[0], 1);
        }
        number = __shfl_sync(0xffffffffu, next, 0);
    }

    barrier_wait(shared_address(&shared.queries_empty[query_ring.index]), query_ring.parity ^ 1);
    if (lane == 0) {
        shared.items[query_ring.index].token_count = 0;
        barrier_arrive(shared_address(&shared.queries_full[query_ring.index]));
        // The last block to finish leaves the counters as it found them.
        __threadfence();
        if (atomicAdd(&counters[1], 1) == (int)gridDim.x - 1) {
            counters[0] = 0;
            counters[1] = 0;
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads, 1) prefill_attention_hopper(
    const __grid_constant__ TensorMap query_map, const __grid_constant__ TensorMap key_map, const __grid_constant__ TensorMap value_map,
    act_t* output, const int* query_starts, const int* context_lengths, const int* block_tables, const float* sinks, int* counters,
    int output_stride, int table_stride, int sequence_count, int kv_heads, int item_count, int decode_rows, int window, float scale,
    float soft_cap) {
    extern __shared__ __align__(1024) u8 dynamic_memory[];
    SharedMemory& shared = *reinterpret_cast<SharedMemory*>(dynamic_memory);
    int warpgroup = (int)(threadIdx.x >> 7) - 1;

    if (threadIdx.x == 0) {
        prefetch_map(query_map);
        prefetch_map(key_map);
        prefetch_map(value_map);
        for (int i = 0; i < QueryBuffers; i++) {
            barrier_init(shared_address(&shared.queries_full[i]), 1);
            barrier_init(shared_address(&shared.queries_empty[i]), 8);
        }
        for (int i = 0; i < Stages; i++) {
            barrier_init(shared_address(&shared.keys_full[i]), 1);
            barrier_init(shared_address(&shared.keys_empty[i]), 8);
            barrier_init(shared_address(&shared.values_full[i]), 1);
            barrier_init(shared_address(&shared.values_empty[i]), 8);
        }
        fence_barrier_init();
    }
    __syncthreads();

    if (warpgroup < 0) {
        give_registers<40>();
        if (threadIdx.x < 32) {
            produce(shared, query_map, key_map, value_map, query_starts, context_lengths, block_tables, counters, table_stride, sequence_count,
                    kv_heads, item_count, decode_rows, window);
        }
    } else {
        take_registers<232>();
        int lane = threadIdx.x & 31;
        int row = (int)(threadIdx.x & 96) / 2 + (lane >> 2) + warpgroup * 64;
        // One arrival a warp tells the producer that a buffer is free.
        bool signals = lane == 0;
        Softmax softmax{scale, SOFT_CAP ? SLUICE_LOG2E : scale * SLUICE_LOG2E, soft_cap, SOFT_CAP ? 1.0f / soft_cap : 0.0f, window};
        Ring<QueryBuffers> query_ring;
        Ring<Stages> key_ring;
        Ring<Stages> value_ring;
        float scores[KeyTile / 2];
        float outputs[HEAD_DIM / 2];
        u32 weights[KeyTile / 4];
#pragma unroll
        for (int i = 0; i < KeyTile / 2; i++) {
            scores[i] = 0.0f;
        }

        while (true) {
            barrier_wait(shared_address(&shared.queries_full[query_ring.index]), query_ring.parity);
            Item item = shared.items[query_ring.index];
            if (item.token_count == 0) {
                break;
            }
            Rows rows;
#pragma unroll
            for (int half = 0; half < 2; half++) {
                rows.positions[half] = item.first_position + (row + half * 8) / GROUP;
                rows.maxima[half] = SLUICE_NEGATIVE_INFINITY;
                rows.sums[half] = 0.0f;
            }
            int last_position = item.first_position + TileTokens - 1;
            u64 queries = matrix_descriptor(shared_address(shared.queries[query_ring.index]) + warpgroup * 64 * 128, AtomBytes, 0);
#pragma unroll
            for (int i = 0; i < HEAD_DIM / 2; i++) {
                outputs[i] = 0.0f;
            }

            barrier_wait(shared_address(&shared.keys_full[key_ring.index]), key_ring.parity);
            wgmma_fence();
            multiply_keys(scores, queries, matrix_descriptor(shared_address(shared.keys[key_ring.index]), RowGroupBytes, 0));
            wgmma_commit();
            wgmma_wait<0>();
            settle(scores);
            if (signals) {
                barrier_arrive(shared_address(&shared.keys_empty[key_ring.index]));
            }
            key_ring.next();
            weigh(scores, rows, softmax, item.last_chunk, true);
            pack_weights(weights, scores);

            barrier_wait(shared_address(&shared.values_full[value_ring.index]), value_ring.parity);
            clear_unused_values(shared.values[value_ring.index], item.last_chunk, item.context);
            for (int chunk = item.last_chunk - 1; chunk >= item.first_chunk; chunk--) {
                barrier_wait(shared_address(&shared.keys_full[key_ring.index]), key_ring.parity);
                wgmma_fence();
                multiply_keys(scores, queries, matrix_descriptor(shared_address(shared.keys[key_ring.index]), RowGroupBytes, 0));
                wgmma_commit();
                barrier_wait(shared_address(&shared.values_full[value_ring.index]), value_ring.parity);
                multiply_values(outputs, weights, matrix_descriptor(shared_address(shared.values[value_ring.index]), RowGroupBytes, AtomBytes));
                wgmma_commit();
                wgmma_wait<1>();
                settle(scores);
                if (signals) {
                    barrier_arrive(shared_address(&shared.keys_empty[key_ring.index]));
                }
                key_ring.next();
                weigh(scores, rows, softmax, chunk,
                      (chunk + 1) * KeyTile > item.first_position || (WINDOW && chunk * KeyTile <= last_position - window));
                wgmma_wait<0>();
                settle(outputs);
                if (signals) {
                    barrier_arrive(shared_address(&shared.values_empty[value_ring.index]));
                }
                value_ring.next();
                pack_weights(weights, scores);
#pragma unroll
                for (int i = 0; i < HEAD_DIM / 2; i++) {
                    outputs[i] *= rows.factors[(i >> 1) & 1];
                }
            }
            __syncwarp();
            if (signals) {
                barrier_arrive(shared_address(&shared.queries_empty[query_ring.index]));
            }
            query_ring.next();

            barrier_wait(shared_address(&shared.values_full[value_ring.index]), value_ring.parity);
            wgmma_fence();
            multiply_values(outputs, weights, matrix_descriptor(shared_address(shared.values[value_ring.index]), RowGroupBytes, AtomBytes));
            wgmma_commit();
            wgmma_wait<0>();
            settle(outputs);
            if (signals) {
                barrier_arrive(shared_address(&shared.values_empty[value_ring.index]));
            }
            value_ring.next();

#pragma unroll
            for (int half = 0; half < 2; half++) {
                float sum = rows.sums[half];
                sum += __shfl_xor_sync(0xffffffffu, sum, 1);
                sum += __shfl_xor_sync(0xffffffffu, sum, 2);
                int packed = row + half * 8;
                int token = packed / GROUP;
                int head = item.kv_head * GROUP + packed % GROUP;
                bool valid = packed < TileTokens * GROUP && token < item.token_count;
                float factor = 1.0f;
                if (sinks != nullptr && valid) {
                    float sink = sinks[head] * SLUICE_LOG2E;
                    float maximum = fmaxf(rows.maxima[half] * softmax.scale_log2, sink);
                    factor = exp2_fast(rows.maxima[half] * softmax.scale_log2 - maximum);
                    sum = fmaf(sum, factor, exp2_fast(sink - maximum));
                }
                factor /= sum;
                act_t* target = output + (i64)(item.first_row + token) * output_stride + head * HEAD_DIM + (lane & 3) * 8;
#pragma unroll
                for (int block = 0; block < HEAD_DIM / 32; block++) {
                    u32 words[4];
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        int at = (block * 4 + i) * 4 + half * 2;
                        words[i] = pack2(outputs[at] * factor, outputs[at + 1] * factor, act_t{});
                    }
                    transpose_words(words);
                    if (valid) {
                        store16(target + block * 32, vec16{words[0], words[1], words[2], words[3]});
                    }
                }
            }
        }
    }
}
#endif
