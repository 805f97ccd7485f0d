// Causal attention of any number of query rows over the paged key-value cache, on mma.sync tensor cores (sm_80 and later).
//
// For row r of sequence s at position p = context_lengths[s] - query_count(s) + (r - query_starts[s]) and head h, with kv = h / GROUP:
//   score[j]  = scale * dot(query[r][h], key[j][kv]), soft_cap * tanh(score / soft_cap) where SOFT_CAP,
//   output[r][h] = sum_j exp(score[j]) * value[j][kv] / (sum_j exp(score[j]) + exp(sinks[h]) where sinks is given)
// over the positions j <= p, and j > p - window where WINDOW.
//
// Shapes: queries [tokens, heads * KEY_DIM] and output [tokens, heads * VALUE_DIM], rows strided, of act_t; they must not overlap.
// keys [block][kv head][token of block][KEY_DIM] and values [block][kv head][token of block][VALUE_DIM] of act_t, or FP8 with KV_FP8.
// block_tables [sequences, table_stride]: only blocks with positions that a row of the tile sees are read, and of their tokens only
// those: the rest of a block may hold anything, NaN included.
//
// Row tile: the GROUP query heads of one key-value head by consecutive tokens of one sequence, packed: packed row = token * GROUP + head
// of group. One thread block computes one tile; block x = tile * kv_heads + kv head, tiles counted backwards so that the long ones
// start first. Tile t of sequence s is number query_starts[s] * GROUP / TileRows + s + t, which leaves gaps (their blocks exit) but needs
// no prefix sums: grid x = (tokens * GROUP / TileRows + sequences) * kv_heads. Sequences of at most decode_rows rows are left to the
// decode kernel.
//
// Bits: keys come in chunks of 64 at absolute positions, in order, into one running maximum; a row's additions happen in the order of
// the positions whatever tile, lane or warp computes it, and a chunk (or a part of it) that a row does not see adds exact zeros to it
// and multiplies it by exactly 1. So a row's result depends on nothing but its query and its context: --batch-invariant runs every
// row, decodes too, through this kernel.
//
// Used by PrefillAttentionCuda: every chip and head size that the Hopper kernel does not take, FP8 caches, and --batch-invariant.
//
// This file is long because it is one kernel: loads, products, softmax and output hold on to the same fragment layout.
#include "Mma.cuh"

// Defaults: what is compiled when a check gives no shape.
#ifndef KEY_DIM
#define KEY_DIM 128
#define VALUE_DIM 128
#define GROUP 4
#define BLOCK_SIZE 16
#define KV_FP8 0
#define WINDOW 0
#define SOFT_CAP 0
#define ROW_TILES 1
#define STAGES 2
#endif

#if KV_FP8
typedef fp8 kv_t;
#else
typedef act_t kv_t;
#endif

constexpr int Warps = 4;
constexpr int Threads = Warps * 32;
constexpr int ChunkTokens = 64;
constexpr int TileRows = Warps * 16 * ROW_TILES;

// Dimensions as the tensor cores see them, and rows of shared memory: an odd number of 16-byte units, so that the eight rows of a
// matrix load hit different banks.
constexpr int KeyColumns = (KEY_DIM + 15) / 16 * 16;
constexpr int ValueColumns = (VALUE_DIM + 15) / 16 * 16;
constexpr int KeyStride = KeyColumns + 8;
constexpr int ValueStride = ValueColumns + 8;

// FP8 chunks arrive as they are and are widened in shared memory: one buffer of each kind does then. Where there is no room for that
// (STAGES 1) they are widened on their way, and nothing else happens meanwhile.
constexpr bool RawKeys = KV_FP8 && STAGES > 1 && KEY_DIM % 16 == 0;
constexpr bool RawValues = KV_FP8 && STAGES > 1 && VALUE_DIM % 16 == 0;
constexpr int Buffers = KV_FP8 ? 1 : STAGES;

// Query fragments stay in registers where these are not needed for a wide output.
constexpr bool QueriesInRegisters = ROW_TILES == 1 && KeyColumns <= 128;

struct SharedMemory {
    alignas(16) act_t queries[TileRows * KeyStride];
    alignas(16) act_t keys[Buffers][ChunkTokens * KeyStride];
    alignas(16) act_t values[Buffers][ChunkTokens * ValueStride];
#if KV_FP8 && STAGES > 1
    alignas(16) fp8 raw_keys[ChunkTokens * KeyColumns];
    alignas(16) fp8 raw_values[ChunkTokens * ValueColumns];
#endif
};

// The sequence that a tile number belongs to: the last whose first tile is not after it. All lanes of a warp take part.
SLUICE_INLINE int find_sequence(const int* query_starts, int sequence_count, int tile) {
    int lane = threadIdx.x & 31;
    int step = (sequence_count + 31) / 32;
    int probe = lane * step;
    bool before = probe < sequence_count && query_starts[probe] * GROUP / TileRows + probe <= tile;
    int first = (__popc(__ballot_sync(0xffffffffu, before)) - 1) * step;
    int count = 0;
    for (int offset = 0; offset < step; offset += 32) {
        probe = first + offset + lane;
        before = offset + lane < step && probe < sequence_count && query_starts[probe] * GROUP / TileRows + probe <= tile;
        count += __popc(__ballot_sync(0xffffffffu, before));
    }
    return first + count - 1;
}

// Where a token of the cache begins.
template <int dim>
SLUICE_INLINE i64 token_offset(const int* table, int kv_head, int kv_heads, int token) {
    i64 block = table[token / BLOCK_SIZE];
    return ((block * kv_heads + kv_head) * BLOCK_SIZE + token % BLOCK_SIZE) * dim;
}

// Sixteen FP8 numbers as act_t, which holds every one of them exactly.
SLUICE_INLINE void widen(act_t* target, const vec16& packed) {
    u32 words[4] = {packed.x, packed.y, packed.z, packed.w};
    u32 wide[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float low, high;
        unpack2(fp8x2_to_f16x2((u16)(words[i / 2] >> (i % 2 * 16))), low, high, f16{});
        wide[i] = pack2(low, high, act_t{});
    }
    store16(target, vec16{wide[0], wide[1], wide[2], wide[3]});
    store16(target + 8, vec16{wide[4], wide[5], wide[6], wide[7]});
}

// Widens a chunk that has arrived.
template <int dim, int stride>
SLUICE_INLINE void widen_chunk(act_t* target, const kv_t* source) {
    constexpr int Vectors = dim / 16;
    for (int i = threadIdx.x; i < ChunkTokens * Vectors; i += Threads) {
        int row = i / Vectors;
        int column = i % Vectors * 16;
        widen(target + row * stride + column, load16(source + row * dim + column));
    }
}

// Starts copying a chunk of keys or values; tokens outside [start, end) become zeros.
template <int dim, int stride, bool raw>
SLUICE_INLINE void load_chunk(act_t* target, kv_t* raw_target, const kv_t* cache, const int* table, int kv_head, int kv_heads, int chunk,
                              int start, int end) {
    constexpr int PerVector = 16 / (int)sizeof(kv_t);
    if constexpr (dim % PerVector == 0 && (!KV_FP8 || raw)) {
        constexpr int Vectors = dim / PerVector;
#pragma unroll
        for (int i = threadIdx.x; i < ChunkTokens * Vectors; i += Threads) {
            int row = i / Vectors;
            int column = i % Vectors * PerVector;
            int token = chunk * ChunkTokens + row;
            bool valid = token >= start && token < end;
            const kv_t* source = cache;
            if (valid) {
                source += token_offset<dim>(table, kv_head, kv_heads, token) + column;
            }
            const void* to = raw ? (const void*)(raw_target + row * dim + column) : (const void*)(target + row * stride + column);
            copy16_async(shared_address(to), source, valid);
        }
    } else if constexpr (KV_FP8 && dim % 16 == 0) {
        constexpr int Vectors = dim / 16;
#pragma unroll
        for (int i = threadIdx.x; i < ChunkTokens * Vectors; i += Threads) {
            int row = i / Vectors;
            int column = i % Vectors * 16;
            int token = chunk * ChunkTokens + row;
            vec16 packed{0, 0, 0, 0};
            if (token >= start && token < end) {
                packed = load16(cache + token_offset<dim>(table, kv_head, kv_heads, token) + column);
            }
            widen(target + row * stride + column, packed);
        }
    } else {
        for (int i = threadIdx.x; i < ChunkTokens * dim; i += Threads) {
            int row = i / dim;
            int column = i % dim;
            int token = chunk * ChunkTokens + row;
            act_t element{0};
            if (token >= start && token < end) {
                kv_t source = cache[token_offset<dim>(table, kv_head, kv_heads, token) + column];
                element = rounded<act_t>(to_float(source));
            }
            target[row * stride + column] = element;
        }
    }
}

// Columns beyond the dimension, which take part in the products, are zeros for good.
template <int dim, int columns, int stride>
SLUICE_INLINE void clear_padding(act_t* rows, int count) {
    if constexpr (dim < columns) {
        for (int i = threadIdx.x; i < count * (columns - dim); i += Threads) {
            rows[i / (columns - dim) * stride + dim + i % (columns - dim)] = act_t{0};
        }
    }
}

SLUICE_INLINE float capped(float score, float scale, float soft_cap, float inverse_cap) {
    // tanh(x) = 1 - 2 / (1 + e^2x): within 1e-6 of soft_cap, where tanh.approx is off by 5e-4 of the score.
    float e = exp2_fast(score * scale * inverse_cap * (2.0f * SLUICE_LOG2E));
    float quotient;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(quotient) : "f"(1.0f + e));
    return soft_cap - 2.0f * soft_cap * quotient;
}

extern "C" __global__ void __launch_bounds__(Threads) prefill_attention(
    act_t* output, const act_t* queries, const kv_t* keys, const kv_t* values, const int* query_starts, const int* context_lengths,
    const int* block_tables, const float* sinks, int output_stride, int query_stride, int table_stride, int sequence_count, int kv_heads,
    int decode_rows, int window, float scale, float soft_cap) {
    extern __shared__ __align__(16) u8 dynamic_memory[];
    SharedMemory& shared = *reinterpret_cast<SharedMemory*>(dynamic_memory);

    int tile_number = (int)(gridDim.x - 1 - blockIdx.x) / kv_heads;
    int kv_head = (int)(gridDim.x - 1 - blockIdx.x) % kv_heads;
    int sequence = find_sequence(query_starts, sequence_count, tile_number);
    int first_row = query_starts[sequence];
    int query_count = query_starts[sequence + 1] - first_row;
    int first_packed = (tile_number - (first_row * GROUP / TileRows + sequence)) * TileRows;
    if (query_count <= decode_rows || first_packed >= query_count * GROUP) {
        return;
    }

    const int* table = block_tables + (i64)sequence * table_stride;
    int first_position = context_lengths[sequence] - query_count;
    int last_token = (first_packed + TileRows - 1) / GROUP;
    last_token = last_token < query_count ? last_token : query_count - 1;
    int end = first_position + last_token + 1;
    int start = 0;
    if (WINDOW) {
        start = first_position + first_packed / GROUP - window + 1;
        start = start > 0 ? start : 0;
    }
    int chunk = start / ChunkTokens;
    int chunk_end = (end + ChunkTokens - 1) / ChunkTokens;

    clear_padding<KEY_DIM, KeyColumns, KeyStride>(shared.queries, TileRows);
    clear_padding<KEY_DIM, KeyColumns, KeyStride>(shared.keys[0], Buffers * ChunkTokens);
    clear_padding<VALUE_DIM, ValueColumns, ValueStride>(shared.values[0], Buffers * ChunkTokens);

    bool vector_queries = KEY_DIM % 8 == 0 && is_aligned16(queries) && query_stride % 8 == 0;
    if (vector_queries) {
        constexpr int Vectors = KEY_DIM >= 8 ? KEY_DIM / 8 : 1;
        for (int i = threadIdx.x; i < TileRows * Vectors; i += Threads) {
            int row = i / Vectors;
            int column = i % Vectors * 8;
            int packed = first_packed + row;
            bool valid = packed < query_count * GROUP;
            const act_t* source = queries;
            if (valid) {
                source += (i64)(first_row + packed / GROUP) * query_stride + (kv_head * GROUP + packed % GROUP) * KEY_DIM + column;
            }
            copy16_async(shared_address(&shared.queries[row * KeyStride + column]), source, valid);
        }
    } else {
        for (int i = threadIdx.x; i < TileRows * KEY_DIM; i += Threads) {
            int row = i / KEY_DIM;
            int column = i % KEY_DIM;
            int packed = first_packed + row;
            act_t element{0};
            if (packed < query_count * GROUP) {
                element = queries[(i64)(first_row + packed / GROUP) * query_stride + (kv_head * GROUP + packed % GROUP) * KEY_DIM + column];
            }
            shared.queries[row * KeyStride + column] = element;
        }
    }

#if KV_FP8 && STAGES > 1
    kv_t* raw_keys = shared.raw_keys;
    kv_t* raw_values = shared.raw_values;
#else
    kv_t* raw_keys = nullptr;
    kv_t* raw_values = nullptr;
#endif
    // Groups of copies: queries with the first keys, then values and keys in turn; at most one newer group is on its way at any wait.
    load_chunk<KEY_DIM, KeyStride, RawKeys>(shared.keys[0], raw_keys, keys, table, kv_head, kv_heads, chunk, start, end);
    commit_copies();
    load_chunk<VALUE_DIM, ValueStride, RawValues>(shared.values[0], raw_values, values, table, kv_head, kv_heads, chunk, start, end);
    commit_copies();

    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    int matrix = lane >> 3;
    int matrix_row = lane & 7;
    int warp_row = warp * (16 * ROW_TILES);

    // Rows of this lane: two a row tile, 8 apart.
    int positions[ROW_TILES][2];
    float maxima[ROW_TILES][2];
    float sums[ROW_TILES][2];
    float outputs[ROW_TILES][ValueColumns / 8][4];
#pragma unroll
    for (int tile = 0; tile < ROW_TILES; tile++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            positions[tile][half] = first_position + (first_packed + warp_row + tile * 16 + half * 8 + (lane >> 2)) / GROUP;
            maxima[tile][half] = SLUICE_NEGATIVE_INFINITY;
            sums[tile][half] = 0.0f;
        }
#pragma unroll
        for (int column = 0; column < ValueColumns / 8; column++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                outputs[tile][column][i] = 0.0f;
            }
        }
    }
    int warp_first_position = first_position + (first_packed + warp_row) / GROUP;
    int warp_last_position = first_position + (first_packed + warp_row + 16 * ROW_TILES - 1) / GROUP;
    bool warp_has_rows = first_packed + warp_row < query_count * GROUP;

    u32 query_address = shared_address(shared.queries + (warp_row + (matrix & 1) * 8 + matrix_row) * KeyStride + (matrix >> 1) * 8);
    u32 query_fragments[QueriesInRegisters ? KeyColumns / 16 : 1][4];
    bool first = true;
    float scale_log2 = SOFT_CAP ? SLUICE_LOG2E : scale * SLUICE_LOG2E;
    float inverse_cap = SOFT_CAP ? 1.0f / soft_cap : 0.0f;

    for (int buffer = 0; chunk < chunk_end; chunk++, buffer = (buffer + 1) % Buffers) {
        bool more = chunk + 1 < chunk_end;
        int next_buffer = (buffer + 1) % Buffers;
        // A warp whose rows see nothing of the chunk leaves it out: it would add zeros.
        bool active = warp_has_rows && chunk * ChunkTokens <= warp_last_position &&
                      (!WINDOW || (chunk + 1) * ChunkTokens > warp_first_position - window + 1);

        wait_copies<1>();
        __syncthreads();
#if KV_FP8 && STAGES > 1
        if constexpr (RawKeys) {
            widen_chunk<KEY_DIM, KeyStride>(shared.keys[0], shared.raw_keys);
            __syncthreads();
        }
#endif
        // With a second buffer (or raw FP8 that has been widened) the next keys arrive during this chunk's products.
        constexpr bool EarlyKeys = RawKeys || Buffers > 1;
        constexpr bool EarlyValues = RawValues || Buffers > 1;
        if (EarlyKeys) {
            if (more) {
                load_chunk<KEY_DIM, KeyStride, RawKeys>(shared.keys[next_buffer], raw_keys, keys, table, kv_head, kv_heads, chunk + 1, start, end);
            }
            commit_copies();
        }

        float scores[ROW_TILES][ChunkTokens / 8][4];
        if (active) {
            if (QueriesInRegisters && first) {
#pragma unroll
                for (int k = 0; k < KeyColumns / 16; k++) {
                    load_matrices(query_fragments[QueriesInRegisters ? k : 0], query_address + k * 32);
                }
                first = false;
            }
#pragma unroll
            for (int tile = 0; tile < ROW_TILES; tile++) {
#pragma unroll
                for (int column = 0; column < ChunkTokens / 8; column++) {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        scores[tile][column][i] = 0.0f;
                    }
                }
            }
            u32 key_address = shared_address(shared.keys[buffer] + ((matrix >> 1) * 8 + matrix_row) * KeyStride + (matrix & 1) * 8);
#pragma unroll
            for (int k = 0; k < KeyColumns / 16; k++) {
                u32 a[ROW_TILES][4];
#pragma unroll
                for (int tile = 0; tile < ROW_TILES; tile++) {
                    if constexpr (QueriesInRegisters) {
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            a[tile][i] = query_fragments[QueriesInRegisters ? k : 0][i];
                        }
                    } else {
                        load_matrices(a[tile], query_address + (tile * 16 * KeyStride + k * 16) * 2);
                    }
                }
#pragma unroll
                for (int pair = 0; pair < ChunkTokens / 16; pair++) {
                    u32 b[4];
                    load_matrices(b, key_address + (pair * 16 * KeyStride + k * 16) * 2);
#pragma unroll
                    for (int tile = 0; tile < ROW_TILES; tile++) {
                        mma16816(scores[tile][pair * 2], a[tile], b[0], b[1], act_t{});
                        mma16816(scores[tile][pair * 2 + 1], a[tile], b[2], b[3], act_t{});
                    }
                }
            }
        }
        if (!EarlyKeys) {
            __syncthreads();
            if (more) {
                load_chunk<KEY_DIM, KeyStride, RawKeys>(shared.keys[0], raw_keys, keys, table, kv_head, kv_heads, chunk + 1, start, end);
            }
            commit_copies();
        }

        u32 weights[ROW_TILES][ChunkTokens / 16][4];
        if (active) {
            if (SOFT_CAP) {
#pragma unroll
                for (int tile = 0; tile < ROW_TILES; tile++) {
#pragma unroll
                    for (int column = 0; column < ChunkTokens / 8; column++) {
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            scores[tile][column][i] = capped(scores[tile][column][i], scale, soft_cap, inverse_cap);
                        }
                    }
                }
            }
            if ((chunk + 1) * ChunkTokens - 1 > warp_first_position || (WINDOW && chunk * ChunkTokens <= warp_last_position - window)) {
                int first_column = chunk * ChunkTokens + (lane & 3) * 2;
#pragma unroll
                for (int tile = 0; tile < ROW_TILES; tile++) {
#pragma unroll
                    for (int column = 0; column < ChunkTokens / 8; column++) {
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            int behind = positions[tile][i >> 1] - (first_column + column * 8 + (i & 1));
                            if (behind < 0 || (WINDOW && behind >= window)) {
                                scores[tile][column][i] = SLUICE_NEGATIVE_INFINITY;
                            }
                        }
                    }
                }
            }
#pragma unroll
            for (int tile = 0; tile < ROW_TILES; tile++) {
                float factors[2];
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    float maximum = maxima[tile][half];
#pragma unroll
                    for (int column = 0; column < ChunkTokens / 8; column++) {
                        maximum = fmaxf(maximum, fmaxf(scores[tile][column][half * 2], scores[tile][column][half * 2 + 1]));
                    }
                    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 1));
                    maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, 2));
                    // A row that has seen nothing yet: any finite number does in place of the maximum.
                    float negated = maximum == SLUICE_NEGATIVE_INFINITY ? 0.0f : -maximum * scale_log2;
                    factors[half] = maximum == maxima[tile][half] ? 1.0f : exp2_fast(fmaf(maxima[tile][half], scale_log2, negated));
                    maxima[tile][half] = maximum;
                    float sum = 0.0f;
#pragma unroll
                    for (int column = 0; column < ChunkTokens / 8; column++) {
                        float left = exp2_fast(fmaf(scores[tile][column][half * 2], scale_log2, negated));
                        float right = exp2_fast(fmaf(scores[tile][column][half * 2 + 1], scale_log2, negated));
                        sum += left + right;
                        weights[tile][column >> 1][(column & 1) * 2 + half] = pack2(left, right, act_t{});
                    }
                    sums[tile][half] = fmaf(sums[tile][half], factors[half], sum);
                }
                if (__any_sync(0xffffffffu, factors[0] != 1.0f || factors[1] != 1.0f)) {
#pragma unroll
                    for (int column = 0; column < ValueColumns / 8; column++) {
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            outputs[tile][column][i] *= factors[i >> 1];
                        }
                    }
                }
            }
        }

        wait_copies<1>();
        __syncthreads();
#if KV_FP8 && STAGES > 1
        if constexpr (RawValues) {
            widen_chunk<VALUE_DIM, ValueStride>(shared.values[0], shared.raw_values);
            __syncthreads();
        }
#endif
        if (EarlyValues) {
            if (more) {
                load_chunk<VALUE_DIM, ValueStride, RawValues>(shared.values[next_buffer], raw_values, values, table, kv_head, kv_heads, chunk + 1,
                                                              start, end);
            }
            commit_copies();
        }
        if (active) {
            u32 value_address = shared_address(shared.values[buffer] + ((matrix & 1) * 8 + matrix_row) * ValueStride + (matrix >> 1) * 8);
#pragma unroll
            for (int k = 0; k < ChunkTokens / 16; k++) {
#pragma unroll
                for (int pair = 0; pair < ValueColumns / 16; pair++) {
                    u32 b[4];
                    load_matrices_transposed(b, value_address + (k * 16 * ValueStride + pair * 16) * 2);
#pragma unroll
                    for (int tile = 0; tile < ROW_TILES; tile++) {
                        mma16816(outputs[tile][pair * 2], weights[tile][k], b[0], b[1], act_t{});
                        mma16816(outputs[tile][pair * 2 + 1], weights[tile][k], b[2], b[3], act_t{});
                    }
                }
            }
        }
        if (!EarlyValues) {
            __syncthreads();
            if (more) {
                load_chunk<VALUE_DIM, ValueStride, RawValues>(shared.values[0], raw_values, values, table, kv_head, kv_heads, chunk + 1, start,
                                                              end);
            }
            commit_copies();
        }
    }

#pragma unroll
    for (int tile = 0; tile < ROW_TILES; tile++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = sums[tile][half];
            sum += __shfl_xor_sync(0xffffffffu, sum, 1);
            sum += __shfl_xor_sync(0xffffffffu, sum, 2);
            int packed = first_packed + warp_row + tile * 16 + half * 8 + (lane >> 2);
            if (packed >= query_count * GROUP) {
                continue;
            }
            int head = kv_head * GROUP + packed % GROUP;
            float factor = 1.0f;
            if (sinks != nullptr) {
                float sink = sinks[head] * SLUICE_LOG2E;
                float maximum = fmaxf(maxima[tile][half] * scale_log2, sink);
                factor = exp2_fast(maxima[tile][half] * scale_log2 - maximum);
                sum = fmaf(sum, factor, exp2_fast(sink - maximum));
            }
            factor /= sum;
            act_t* row = output + (i64)(first_row + packed / GROUP) * output_stride + head * VALUE_DIM;
#pragma unroll
            for (int column = 0; column < ValueColumns / 8; column++) {
                int first_column = column * 8 + (lane & 3) * 2;
                float left = outputs[tile][column][half * 2] * factor;
                float right = outputs[tile][column][half * 2 + 1] * factor;
                if (VALUE_DIM % 2 == 0 && output_stride % 2 == 0) {
                    if (first_column < VALUE_DIM) {
                        *reinterpret_cast<u32*>(row + first_column) = pack2(left, right, act_t{});
                    }
                } else {
                    if (first_column < VALUE_DIM) {
                        from_float(left, row[first_column]);
                    }
                    if (first_column + 1 < VALUE_DIM) {
                        from_float(right, row[first_column + 1]);
                    }
                }
            }
        }
    }
}
