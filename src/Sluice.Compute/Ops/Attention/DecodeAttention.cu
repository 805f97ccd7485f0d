// Attention of sequences with few query rows over the paged key-value cache: decode.
//
//   output[r, h] = sum_p w_p value[p, h / GROUP],  w_p = exp(score_p) / (exp(sink_h) + sum_p exp(score_p)),
//   score_p = cap(scale * dot(query[r, h], key[p, h / GROUP])),  cap(x) = softCap * tanh(x / softCap) when softCap > 0.
// Row r of sequence s (rows queryStarts[s] .. queryStarts[s + 1]) stands at position contextLengths[s] - queryCount + (r - first) and
// sees the positions up to its own, the last `window` of them when window > 0. Sequences with more than `decodeRows` rows are left
// to the prefill kernel; an empty context gives zeros.
//   queries  [rows, kvHeads * GROUP, HEAD_DIM] act_t, rows queryStride elements apart    output [rows, kvHeads * GROUP, VALUE_DIM] act_t
//   keys     [block][kvHead][BLOCK_SIZE][HEAD_DIM] act_t, or fp8 with CACHE_FP8 (scale 1)   values likewise, VALUE_DIM
//   sinks    float32 [kvHeads * GROUP], or null       blockTables [sequences, blockTableStride]
//   partials 2 * gridDim.x * 16 * (ValuePad + 2) floats, any contents                    counters gridDim.x ints, zero before and after
// Output must not overlap queries.
//
// Work is counted in chunks of 128 tokens of a task (sequence, key-value head, tile of 16 query rows), tasks in this order. Every
// CTA of the persistent grid (a CTA a multiprocessor) takes an equal, contiguous share of all chunks: a long context is spread over
// the chip as many short ones are, and the grid depends on the device only, so that a captured graph stays valid whatever the
// contexts. Inside a CTA each warp runs its own pipeline of tiles of 16 tokens, which goes on into the next task while the results
// of the last are combined. Where a task is split, the CTAs write partial results, and the last of them to arrive merges them in the
// order of the context.
// Scores and sums are products of 16 rows (query heads of the group, times query rows) on the tensor cores; float32 accumulation.
// This file is long because it is one kernel: how contexts are shared out, the pipeline, the products and the merge hold on to the same
// fragment layout and the same shared memory.
// samples: HEAD_DIM=128 VALUE_DIM=128 GROUP=4 BLOCK_SIZE=16 CACHE_FP8=0 PAIRED_QUERIES=1 WARPS=8 STAGES=2 | HEAD_DIM=128 VALUE_DIM=128 GROUP=8 BLOCK_SIZE=16 CACHE_FP8=1 PAIRED_QUERIES=1 WARPS=8 STAGES=2 | HEAD_DIM=80 VALUE_DIM=96 GROUP=1 BLOCK_SIZE=48 CACHE_FP8=0 PAIRED_QUERIES=1 WARPS=8 STAGES=2 | HEAD_DIM=33 VALUE_DIM=17 GROUP=24 BLOCK_SIZE=32 CACHE_FP8=1 PAIRED_QUERIES=0 WARPS=2 STAGES=2
#include "Mma.cuh"
#include "Reduce.cuh"

#if CACHE_FP8
// Every E4M3 number is a float16: products run in float16 then, whatever the activations.
typedef fp8 kv_t;
typedef f16 product_t;
#else
typedef act_t kv_t;
typedef act_t product_t;
#endif

constexpr int TileRows = 16;
constexpr int TileTokens = 16;
constexpr int ChunkTokens = 128;
constexpr int Threads = WARPS * 32;
constexpr int ElementBytes = sizeof(kv_t);
constexpr int Granule = 32 / ElementBytes;  // numbers that one load of matrices takes of a row
constexpr int KeyPad = (HEAD_DIM + Granule - 1) / Granule * Granule;
constexpr int ValuePad = (VALUE_DIM + Granule - 1) / Granule * Granule;
constexpr int KeyBytes = HEAD_DIM * ElementBytes;
constexpr int ValueBytes = VALUE_DIM * ElementBytes;
// Rows an odd number of 16-byte words apart: the eight rows of a matrix lie in different banks.
constexpr int KeyStride = (KeyPad * ElementBytes / 16 | 1) * 16;
constexpr int ValueStride = (ValuePad * ElementBytes / 16 | 1) * 16;
constexpr int StageBytes = TileTokens * (KeyStride + ValueStride);
constexpr int KeySteps = KeyPad / 16;
constexpr int ValueTiles = ValuePad / 8;
// What the warps hand over at the end of a segment: four rows at a time, and the states of all rows.
constexpr int MergeRows = 4;
constexpr int MergeStride = ValuePad + 8;
constexpr int Items = ValuePad / 4;  // of a row: four columns each
// Loads of partial results that each thread has on their way while it still waits for their weights.
constexpr int MergeAhead = 8;

SLUICE_INLINE float reciprocal_fast(float x) {
    float result;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

// Counts this CTA's arrival; what its threads wrote before the last barrier is visible to who sees the count.
SLUICE_INLINE int arrive(int* counter) {
    int before;
    asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], 1;" : "=r"(before) : "l"(counter) : "memory");
    return before;
}

struct Batch {
    const int* queryStarts;
    const int* contextLengths;
    int sequenceCount;
    int kvHeads;
    int decodeRows;
    int window;
};

struct Sequence {
    int queryStart;
    int queryCount;
    int context;
    int firstVisible;
    int chunks;    // a task
    int rowTiles;  // 0: not for this kernel
};

SLUICE_INLINE Sequence load_sequence(const Batch& batch, int index) {
    Sequence sequence;
    sequence.queryStart = batch.queryStarts[index];
    sequence.queryCount = batch.queryStarts[index + 1] - sequence.queryStart;
    sequence.context = batch.contextLengths[index];
    int first = sequence.context - sequence.queryCount - batch.window + 1;
    sequence.firstVisible = batch.window > 0 && first > 0 ? first : 0;
    int chunks = (sequence.context + ChunkTokens - 1) / ChunkTokens - sequence.firstVisible / ChunkTokens;
    sequence.chunks = chunks > 1 ? chunks : 1;
    sequence.rowTiles = sequence.queryCount > 0 && sequence.queryCount <= batch.decodeRows
                            ? (sequence.queryCount * GROUP + TileRows - 1) / TileRows
                            : 0;
    return sequence;
}

// The part of all work that a CTA does, in units of one chunk; shares differ by one unit at most. Where there are more tasks than
// CTAs, a task begins with a unit (`taskCost`) that stands for its own effort: reading the queries, combining the warps. Without it
// the padded rows of a graph, of one token each, are as much work to the shares as chunks are (33 x 2,048 tokens in a batch of 64: 110
// us instead of 201).
struct Shares {
    int quotient;
    int remainder;
    int taskCost;

    __device__ __forceinline__ int begin(int cta) const { return cta * quotient + (cta < remainder ? cta : remainder); }

    __device__ __forceinline__ int owner(int unit) const {
        int large = remainder * (quotient + 1);
        return unit < large ? unit / (quotient + 1) : remainder + (unit - large) / quotient;
    }
};

// A walk over the segments of a share: the chunks of one task each.
struct Segment {
    Sequence sequence;
    int index;    // of the sequence
    int kvHead;
    int rowTile;
    int chunk;    // first one, counted from the task's first
    int chunks;
    int left;     // units of the share after this segment
    int start;    // first token
    int tiles;
    int phase;    // tiles of the segments before, modulo the warps: warps take turns across segments

    __device__ __forceinline__ void set_tokens() {
        int first = (sequence.firstVisible / ChunkTokens + chunk) * ChunkTokens;
        int end = first + chunks * ChunkTokens;
        end = end < sequence.context ? end : sequence.context;
        int visible = sequence.firstVisible / TileTokens * TileTokens;
        start = first > visible ? first : visible;
        tiles = end > start ? (end - start + TileTokens - 1) / TileTokens : 0;
    }

    __device__ __forceinline__ bool next(const Batch& batch, int taskCost) {
        if (left <= taskCost) {
            return false;
        }
        phase = (phase + tiles) % WARPS;
        if (++rowTile == sequence.rowTiles) {
            rowTile = 0;
            if (++kvHead == batch.kvHeads) {
                kvHead = 0;
                do {
                    sequence = load_sequence(batch, ++index);
                } while (sequence.rowTiles == 0);
            }
        }
        left -= taskCost;
        chunk = 0;
        chunks = sequence.chunks < left ? sequence.chunks : left;
        left -= chunks;
        set_tokens();
        return true;
    }

    __device__ __forceinline__ int first_tile(int warp) const {
        int tile = warp - phase;
        return tile < 0 ? tile + WARPS : tile;
    }
};

// Finds this CTA's share and its first segment; false when there is nothing to do. Each warp does it by itself.
SLUICE_INLINE bool find_share(const Batch& batch, int lane, Shares& shares, Segment& segment) {
    int chunks = 0;
    int tasks = 0;
#pragma unroll 4
    for (int index = lane; index < batch.sequenceCount; index += 32) {
        Sequence sequence = load_sequence(batch, index);
        chunks += sequence.chunks * sequence.rowTiles;
        tasks += sequence.rowTiles;
    }
#pragma unroll
    for (int offset = 16; offset > 0; offset >>= 1) {
        chunks += __shfl_xor_sync(0xffffffffu, chunks, offset);
        tasks += __shfl_xor_sync(0xffffffffu, tasks, offset);
    }
    shares.taskCost = tasks * batch.kvHeads > (int)gridDim.x ? 1 : 0;
    int total = (chunks + tasks * shares.taskCost) * batch.kvHeads;
    int ctas = (int)gridDim.x < total ? (int)gridDim.x : total;
    if ((int)blockIdx.x >= ctas) {
        return false;
    }
    shares.quotient = total / ctas;
    shares.remainder = total % ctas;
    int begin = shares.begin(blockIdx.x);
    int left = shares.begin(blockIdx.x + 1) - begin;
    for (int base = 0;; base += 32) {
        int units = 0;
        if (base + lane < batch.sequenceCount) {
            Sequence sequence = load_sequence(batch, base + lane);
            units = (sequence.chunks + shares.taskCost) * sequence.rowTiles * batch.kvHeads;
        }
        int sum = units;
#pragma unroll
        for (int offset = 1; offset < 32; offset <<= 1) {
            int other = __shfl_up_sync(0xffffffffu, sum, offset);
            sum += lane >= offset ? other : 0;
        }
        u32 after = __ballot_sync(0xffffffffu, sum > begin);
        if (after != 0) {
            int source = __ffs(after) - 1;
            segment.index = base + source;
            begin -= __shfl_sync(0xffffffffu, sum - units, source);
            break;
        }
        begin -= __shfl_sync(0xffffffffu, sum, 31);
    }
    segment.sequence = load_sequence(batch, segment.index);
    int taskUnits = segment.sequence.chunks + shares.taskCost;
    int task = begin / taskUnits;
    int chunk = begin % taskUnits - shares.taskCost;
    segment.kvHead = task / segment.sequence.rowTiles;
    segment.rowTile = task % segment.sequence.rowTiles;
    // Shares are longer than a task's cost: something is left of one that begins within it.
    left += chunk < 0 ? chunk : 0;
    segment.chunk = chunk < 0 ? 0 : chunk;
    int available = segment.sequence.chunks - segment.chunk;
    segment.chunks = available < left ? available : left;
    segment.left = left - segment.chunks;
    segment.phase = 0;
    segment.set_tokens();
    return true;
}

// Copies the rows of a tile; rows outside [first, end) become zeros: what lies there is not this sequence's and may be NaN.
template <int rowBytes, int stride>
SLUICE_INLINE void copy_rows(u32 shared, const u8* source, int first, int end, int lane) {
    constexpr int unit = rowBytes % 16 == 0 ? 16 : rowBytes % 8 == 0 ? 8 : rowBytes % 4 == 0 ? 4 : ElementBytes;
    constexpr int units = rowBytes / unit;
    constexpr int count = TileTokens * units;
    bool whole = first <= 0 && end >= TileTokens;
#pragma unroll
    for (int i = 0; i < (count + 31) / 32; i++) {
        int index = i * 32 + lane;
        int row = 32 % units == 0 ? i * (32 / units) + lane / units : index / units;
        int column = 32 % units == 0 ? lane % units : index % units;
        if (count % 32 == 0 || index < count) {
            copy_async<unit>(shared + row * stride + column * unit, source + index * unit, whole || (row >= first && row < end));
        }
    }
}

// What runs ahead of the products of a warp: where its next tile is.
struct Loader {
    Segment segment;
    int tile;       // next one of the segment
    int known;      // tiles that `blocks` still has
    int blocks;     // lane l: block of the l-th of the warp's next tiles, at the last look
    bool done;

    // The next tile of the warp, if there is one.
    __device__ __forceinline__ bool find(const Batch& batch, int taskCost, int warp) {
        while (tile >= segment.tiles && !done) {
            done = !segment.next(batch, taskCost);
            tile = done ? 0 : segment.first_tile(warp);
            known = 0;
        }
        return !done;
    }

    __device__ __forceinline__ void load(const Batch& batch, const kv_t* keys, const kv_t* values, const int* blockTables, i64 tableStride,
                                         u32 shared, int lane) {
        if (known == 0) {
            int own = tile + lane * WARPS;
            if (own < segment.tiles) {
                blocks = blockTables[segment.index * tableStride + (segment.start + own * TileTokens) / BLOCK_SIZE];
            }
            known = 32;
        }
        int token = segment.start + tile * TileTokens;
        int block = __shfl_sync(0xffffffffu, blocks, 32 - known);
        known--;
        tile += WARPS;
        i64 row = ((i64)block * batch.kvHeads + segment.kvHead) * BLOCK_SIZE + token % BLOCK_SIZE;
        int first = segment.sequence.firstVisible - token;
        int end = segment.sequence.context - token;
        copy_rows<KeyBytes, KeyStride>(shared, reinterpret_cast<const u8*>(keys) + row * KeyBytes, first, end, lane);
        copy_rows<ValueBytes, ValueStride>(shared + TileTokens * KeyStride, reinterpret_cast<const u8*>(values) + row * ValueBytes, first,
                                           end, lane);
    }

    // The step's own tokens are written by the kernel before this one.
    __device__ __forceinline__ bool is_old() const {
        return segment.start + (tile + 1) * TileTokens <= segment.sequence.context - segment.sequence.queryCount;
    }
};

// Numbers `column` and the next of a query row, as the products take them. PAIRED_QUERIES: one load of four bytes may take both.
SLUICE_INLINE u32 query_pair(const act_t* row, int column, bool valid) {
    if (!valid || column >= HEAD_DIM) {
        return 0;
    }
#if PAIRED_QUERIES
    u32 pair = *reinterpret_cast<const u32*>(row + column);
#else
    u32 pair = row[column].bits | (column + 1 < HEAD_DIM ? (u32)row[column + 1].bits << 16 : 0u);
#endif
#if CACHE_FP8 && !defined(SLUICE_F16)
    float low, high;
    unpack2(pair, low, high, act_t{});
    // Comparisons that keep NaN.
    low = low > 65504.0f ? 65504.0f : low < -65504.0f ? -65504.0f : low;
    high = high > 65504.0f ? 65504.0f : high < -65504.0f ? -65504.0f : high;
    pair = pack2(low, high, f16{});
#endif
    return pair;
}

// Columns of a 16 x 16 part of queries, lane t = lane % 4: FP8 rows give a lane four neighbours, and keys and queries may be
// multiplied in any order of columns as long as it is the same.
SLUICE_INLINE void load_queries(u32 (&fragments)[KeySteps][4], const act_t* row0, bool valid0, const act_t* row1, bool valid1, int t) {
#pragma unroll
    for (int k = 0; k < KeySteps; k++) {
        int low = CACHE_FP8 ? k * 16 + 4 * t : k * 16 + 2 * t;
        int high = CACHE_FP8 ? low + 2 : low + 8;
        fragments[k][0] = query_pair(row0, low, valid0);
        fragments[k][1] = query_pair(row1, low, valid1);
        fragments[k][2] = query_pair(row0, high, valid0);
        fragments[k][3] = query_pair(row1, high, valid1);
    }
}

// scores[n]: 16 rows x tokens 8n .. 8n + 7.
SLUICE_INLINE void multiply_keys(float (&scores)[2][4], const u32 (&queries)[KeySteps][4], u32 keys, int lane) {
    u32 address = keys + ((lane & 7) + (lane >> 4) * 8) * KeyStride + ((lane >> 3) & 1) * 16;
    float other[2][4] = {};
#if CACHE_FP8
#pragma unroll
    for (int k = 0; k < KeySteps; k += 2) {
        u32 r[4];
        load_matrices(r, address + k * 16);
        mma16816(scores[0], queries[k], fp8x2_to_f16x2((u16)r[0]), fp8x2_to_f16x2((u16)(r[0] >> 16)), product_t{});
        mma16816(scores[1], queries[k], fp8x2_to_f16x2((u16)r[2]), fp8x2_to_f16x2((u16)(r[2] >> 16)), product_t{});
        mma16816(other[0], queries[k + 1], fp8x2_to_f16x2((u16)r[1]), fp8x2_to_f16x2((u16)(r[1] >> 16)), product_t{});
        mma16816(other[1], queries[k + 1], fp8x2_to_f16x2((u16)r[3]), fp8x2_to_f16x2((u16)(r[3] >> 16)), product_t{});
    }
#else
#pragma unroll
    for (int k = 0; k < KeySteps; k++) {
        u32 r[4];
        load_matrices(r, address + k * 32);
        mma16816(k % 2 == 0 ? scores[0] : other[0], queries[k], r[0], r[1], product_t{});
        mma16816(k % 2 == 0 ? scores[1] : other[1], queries[k], r[2], r[3], product_t{});
    }
#endif
#pragma unroll
    for (int i = 0; i < 4; i++) {
        scores[0][i] += other[0][i];
        scores[1][i] += other[1][i];
    }
}

SLUICE_INLINE void multiply_values(float (&sums)[ValueTiles][4], const u32 (&weights)[4], u32 values, int lane) {
    u32 address = values + (lane & 15) * ValueStride + (lane >> 4) * 16;
#if CACHE_FP8
    // A transposed pair of bytes is two columns of a token: even columns go to one tile, odd ones to the next.
#pragma unroll
    for (int n = 0; n < ValueTiles; n += 4) {
        u32 r[4];
        load_matrices_transposed(r, address + n * 8);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            r[i] = __byte_perm(r[i], 0, 0x3120);
        }
        mma16816(sums[n], weights, fp8x2_to_f16x2((u16)r[0]), fp8x2_to_f16x2((u16)r[1]), product_t{});
        mma16816(sums[n + 1], weights, fp8x2_to_f16x2((u16)(r[0] >> 16)), fp8x2_to_f16x2((u16)(r[1] >> 16)), product_t{});
        mma16816(sums[n + 2], weights, fp8x2_to_f16x2((u16)r[2]), fp8x2_to_f16x2((u16)r[3]), product_t{});
        mma16816(sums[n + 3], weights, fp8x2_to_f16x2((u16)(r[2] >> 16)), fp8x2_to_f16x2((u16)(r[3] >> 16)), product_t{});
    }
#else
#pragma unroll
    for (int n = 0; n < ValueTiles; n += 2) {
        u32 r[4];
        load_matrices_transposed(r, address + n * 16);
        mma16816(sums[n], weights, r[0], r[1], product_t{});
        mma16816(sums[n + 1], weights, r[2], r[3], product_t{});
    }
#endif
}

// Results of a lane's rows g and g + 8, relative to 2^maximum.
struct RowSums {
    float values[ValueTiles][4];
    float maximum[2];
    float sum[2];  // of the lane's own tokens

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int n = 0; n < ValueTiles; n++) {
            values[n][0] = values[n][1] = values[n][2] = values[n][3] = 0;
        }
        maximum[0] = maximum[1] = SLUICE_NEGATIVE_INFINITY;
        sum[0] = sum[1] = 0;
    }

    // Turns scores into weights and brings what was summed before to the new maximum.
    __device__ __forceinline__ void weigh(float (&scores)[2][4], u32 (&weights)[4]) {
        float largest[2];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            float a = fmaxf(scores[0][2 * i], scores[0][2 * i + 1]);
            float b = fmaxf(scores[1][2 * i], scores[1][2 * i + 1]);
            a = fmaxf(fmaxf(a, b), maximum[i]);
            a = fmaxf(a, __shfl_xor_sync(0xffffffffu, a, 1));
            largest[i] = fmaxf(a, __shfl_xor_sync(0xffffffffu, a, 2));
        }
        if (__any_sync(0xffffffffu, largest[0] != maximum[0] || largest[1] != maximum[1])) {
            float factor0 = largest[0] == maximum[0] ? 1.0f : exp2_fast(maximum[0] - largest[0]);
            float factor1 = largest[1] == maximum[1] ? 1.0f : exp2_fast(maximum[1] - largest[1]);
            sum[0] *= factor0;
            sum[1] *= factor1;
#pragma unroll
            for (int n = 0; n < ValueTiles; n++) {
                values[n][0] *= factor0;
                values[n][1] *= factor0;
                values[n][2] *= factor1;
                values[n][3] *= factor1;
            }
            maximum[0] = largest[0];
            maximum[1] = largest[1];
        }
        // A row that has seen nothing yet: no difference of infinities.
        float base0 = largest[0] == SLUICE_NEGATIVE_INFINITY ? 0.0f : largest[0];
        float base1 = largest[1] == SLUICE_NEGATIVE_INFINITY ? 0.0f : largest[1];
#pragma unroll
        for (int n = 0; n < 2; n++) {
            float w0 = exp2_fast(scores[n][0] - base0);
            float w1 = exp2_fast(scores[n][1] - base0);
            float w2 = exp2_fast(scores[n][2] - base1);
            float w3 = exp2_fast(scores[n][3] - base1);
            sum[0] += w0 + w1;
            sum[1] += w2 + w3;
            weights[2 * n] = pack2(w0, w1, product_t{});
            weights[2 * n + 1] = pack2(w2, w3, product_t{});
        }
    }

    __device__ __forceinline__ void finish_sums() {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], 1);
            sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], 2);
        }
    }

    // Rows 8 * half + g to shared memory.
    __device__ __forceinline__ void store(float* row, int half, int t) const {
#if CACHE_FP8
#pragma unroll
        for (int n = 0; n < ValueTiles; n += 2) {
            *reinterpret_cast<float4*>(row + n * 8 + 4 * t) =
                float4{values[n][2 * half], values[n + 1][2 * half], values[n][2 * half + 1], values[n + 1][2 * half + 1]};
        }
#else
#pragma unroll
        for (int n = 0; n < ValueTiles; n++) {
            *reinterpret_cast<float2*>(row + n * 8 + 2 * t) = float2{values[n][2 * half], values[n][2 * half + 1]};
        }
#endif
    }
};

struct Output {
    act_t* values;
    i64 stride;
    const float* sinks;

    __device__ __forceinline__ static int head(const Segment& segment, int row) {
        return segment.kvHead * GROUP + (segment.rowTile * TileRows + row) % GROUP;
    }

    // The sink of a row as a power of two, or nothing.
    __device__ __forceinline__ float sink(const Segment& segment, int row) const {
        return sinks == nullptr ? SLUICE_NEGATIVE_INFINITY : sinks[head(segment, row)] * SLUICE_LOG2E;
    }

    __device__ __forceinline__ void store(float4 sums, const Segment& segment, int row, int column) const {
        int token = segment.sequence.queryStart + (segment.rowTile * TileRows + row) / GROUP;
        act_t* result = values + token * stride + (i64)head(segment, row) * VALUE_DIM + column;
        u32 words[2] = {pack2(sums.x, sums.y, act_t{}), pack2(sums.z, sums.w, act_t{})};
#if VALUE_DIM % 4 == 0
        if (stride % 4 == 0 && (reinterpret_cast<u64>(values) & 7) == 0) {
            *reinterpret_cast<vec8*>(result) = vec8{words[0], words[1]};
            return;
        }
#endif
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (column + i < VALUE_DIM) {
                result[i].bits = (u16)(words[i / 2] >> (i % 2 * 16));
            }
        }
    }
};

SLUICE_INLINE void add(float4& sums, const float4& values, float weight) {
    sums.x += values.x * weight;
    sums.y += values.y * weight;
    sums.z += values.z * weight;
    sums.w += values.w * weight;
}

// Of nothing but hidden tokens there is no sum: its weight is zero, as is that of what has no maximum.
SLUICE_INLINE float finite_base(float maximum) { return maximum == SLUICE_NEGATIVE_INFINITY ? 0.0f : maximum; }

// Sums relative to 2^maximum that CTAs leave to each other: [2 * CTAs][16 rows]. A CTA has at most two tasks that others share,
// the first and the last of its share.
struct Partials {
    float* values;   // [..., ValuePad]
    float2* states;  // maximum, sum of weights

    __device__ __forceinline__ static int slot(const Shares& shares, int cta, int taskBegin) {
        return 2 * cta + (shares.begin(cta) >= taskBegin - shares.taskCost ? 0 : 1);
    }

    __device__ __forceinline__ float4* at(int slot, int row, int item) const {
        return reinterpret_cast<float4*>(values + ((i64)slot * TileRows + row) * ValuePad + item * 4);
    }
};

// Shared memory of a CTA behind the stages: what its warps, and its threads when they merge partial results, tell each other.
struct Exchange {
    float2* states;  // [16 rows][warps]: maximum, sum
    int* isLast;
    float* values;   // [warps][MergeRows][MergeStride]; in a merge [MergeRows][partial results] and [threads][4]
};

// The last CTA of a task to arrive merges the partial results of all, in the order of the context.
SLUICE_INLINE void merge_partials(const Segment& segment, const Shares& shares, int taskBegin, int firstCta, int count, int rowCount,
                                  const Output& output, const Partials& partials, const Exchange& exchange, int warp, int lane) {
    float* weights = exchange.values;
    float4* parts = reinterpret_cast<float4*>(exchange.values + (MergeRows * count + 3) / 4 * 4);
    int firstSlot = Partials::slot(shares, firstCta, taskBegin);
    for (int first = 0; first < rowCount; first += MergeRows) {
        int rows = rowCount - first < MergeRows ? rowCount - first : MergeRows;
        // Threads beyond the columns share the partial results: one of them takes every `groups`-th.
        int items = rows * Items;
        int groups = Threads / items > 1 ? Threads / items : 1;
        for (int base = 0; base < items * groups; base += Threads) {
            int i = base + threadIdx.x;
            bool active = i < items * groups;
            int group = active ? i / items : count;
            int row = i % items / Items;
            int item = i % Items;
            float4 loaded[MergeAhead];
#pragma unroll
            for (int j = 0; j < MergeAhead; j++) {
                int c = group + j * groups;
                if (c < count) {
                    loaded[j] = __ldcg(partials.at(c == 0 ? firstSlot : 2 * (firstCta + c), first + row, item));
                }
            }
            if (base == 0) {
                for (int own = warp; own < rows; own += WARPS) {
                    float maximum = output.sink(segment, first + own);
                    float sum = maximum == SLUICE_NEGATIVE_INFINITY || lane != 0 ? 0.0f : 1.0f;
                    for (int c = lane; c < count; c += 32) {
                        int slot = c == 0 ? firstSlot : 2 * (firstCta + c);
                        float2 state = __ldcg(partials.states + slot * TileRows + first + own);
                        weights[own * count + c] = state.x;
                        float larger = fmaxf(maximum, state.x);
                        float common = finite_base(larger);
                        sum = sum * exp2_fast(maximum - common) + state.y * exp2_fast(state.x - common);
                        maximum = larger;
                    }
                    float largest = warp_max(maximum);
                    float common = finite_base(largest);
                    float total = warp_sum(sum * exp2_fast(maximum - common));
                    float factor = total == 0 ? 0.0f : 1.0f / total;
                    for (int c = lane; c < count; c += 32) {
                        weights[own * count + c] = exp2_fast(weights[own * count + c] - common) * factor;
                    }
                }
                __syncthreads();
            }
            float4 sums = {};
#pragma unroll
            for (int j = 0; j < MergeAhead; j++) {
                int c = group + j * groups;
                if (c < count) {
                    add(sums, loaded[j], weights[row * count + c]);
                }
            }
#pragma unroll 8
            for (int c = group + MergeAhead * groups; c < count; c += groups) {
                add(sums, __ldcg(partials.at(2 * (firstCta + c), first + row, item)), weights[row * count + c]);
            }
            if (groups > 1) {
                parts[threadIdx.x] = sums;
            } else if (active && item * 4 < VALUE_DIM) {
                output.store(sums, segment, first + row, item * 4);
            }
        }
        __syncthreads();
        if (groups > 1) {
            for (int i = threadIdx.x; i < items; i += Threads) {
                float4 sums = parts[i];
                for (int group = 1; group < groups; group++) {
                    add(sums, parts[group * items + i], 1);
                }
                if (i % Items * 4 < VALUE_DIM) {
                    output.store(sums, segment, first + i / Items, i % Items * 4);
                }
            }
            __syncthreads();
        }
    }
}

// Sums a segment over the warps and gives it to the output, or, where the task is split, to the partial results. All threads call it.
SLUICE_INLINE void finish_segment(RowSums& rows, const Segment& segment, const Shares& shares, const Output& output,
                                  const Partials& partials, int* counters, const Exchange& exchange, int warp, int lane) {
    int g = lane >> 2;
    int t = lane & 3;
    int rowCount = segment.sequence.queryCount * GROUP - segment.rowTile * TileRows;
    rowCount = rowCount < TileRows ? rowCount : TileRows;
    bool whole = segment.chunks == segment.sequence.chunks;
    // The unit of the task's first chunk.
    int taskBegin = shares.begin(blockIdx.x + 1) - segment.left - segment.chunks - segment.chunk;
    int slot = Partials::slot(shares, blockIdx.x, taskBegin);

    rows.finish_sums();
    if (t == 0) {
        exchange.states[g * WARPS + warp] = float2{rows.maximum[0], rows.sum[0]};
        exchange.states[(g + 8) * WARPS + warp] = float2{rows.maximum[1], rows.sum[1]};
    }
#pragma unroll
    for (int first = 0; first < TileRows; first += MergeRows) {
        int count = rowCount - first < MergeRows ? rowCount - first : MergeRows;
        if (count <= 0) {
            break;
        }
        int own = g - first % 8;
        if (own >= 0 && own < count) {
            rows.store(exchange.values + (warp * MergeRows + own) * MergeStride, first / 8, t);
        }
        __syncthreads();
        for (int i = threadIdx.x; i < count * Items; i += Threads) {
            int row = i / Items;
            int item = i % Items;
            const float2* states = exchange.states + (first + row) * WARPS;
            float maximum = whole ? output.sink(segment, first + row) : SLUICE_NEGATIVE_INFINITY;
            float sink = maximum;
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                maximum = fmaxf(maximum, states[w].x);
            }
            float base = finite_base(maximum);
            float sum = exp2_fast(sink - base);
            float4 sums = {};
#pragma unroll
            for (int w = 0; w < WARPS; w++) {
                float weight = exp2_fast(states[w].x - base);
                sum += states[w].y * weight;
                add(sums, *reinterpret_cast<const float4*>(exchange.values + (w * MergeRows + row) * MergeStride + item * 4), weight);
            }
            if (whole) {
                float factor = sum == 0 ? 0.0f : 1.0f / sum;
                if (item * 4 < VALUE_DIM) {
                    output.store(float4{sums.x * factor, sums.y * factor, sums.z * factor, sums.w * factor}, segment, first + row, item * 4);
                }
            } else {
                *partials.at(slot, first + row, item) = sums;
                if (item == 0) {
                    partials.states[slot * TileRows + first + row] = float2{maximum, sum};
                }
            }
        }
        __syncthreads();
    }
    if (whole) {
        return;
    }

    int firstCta = shares.owner(taskBegin);
    int count = shares.owner(taskBegin + segment.sequence.chunks - 1) - firstCta + 1;
    if (threadIdx.x == 0) {
        bool isLast = arrive(counters + firstCta) == count - 1;
        if (isLast) {
            counters[firstCta] = 0;
        }
        *exchange.isLast = isLast;
    }
    __syncthreads();
    bool isLast = *exchange.isLast != 0;
    __syncthreads();
    if (isLast) {
        merge_partials(segment, shares, taskBegin, firstCta, count, rowCount, output, partials, exchange, warp, lane);
    }
}

extern "C" __global__ void __launch_bounds__(Threads, 1) decode_attention(
    act_t* output, const act_t* queries, const kv_t* keys, const kv_t* values, const int* queryStarts, const int* contextLengths,
    const int* blockTables, const float* sinks, float* partials, int* counters, i64 outputStride, i64 queryStride, i64 blockTableStride,
    int sequenceCount, int kvHeads, int decodeRows, int window, float scale, float softCap) {
    extern __shared__ vec16 sharedMemory[];
    int lane = threadIdx.x & 31;
    int warp = threadIdx.x >> 5;
    Batch batch{queryStarts, contextLengths, sequenceCount, kvHeads, decodeRows, window};
    Shares shares;
    Segment segment;
    let_next_kernel_start();
    if (!find_share(batch, lane, shares, segment)) {
        // Who waits for this kernel counts on the ones before it, too.
        wait_for_previous_kernel();
        return;
    }

    u8* stages = reinterpret_cast<u8*>(sharedMemory) + warp * (STAGES * StageBytes);
    Exchange exchange;
    exchange.states = reinterpret_cast<float2*>(reinterpret_cast<u8*>(sharedMemory) + WARPS * STAGES * StageBytes);
    exchange.isLast = reinterpret_cast<int*>(exchange.states + TileRows * WARPS);
    exchange.values = reinterpret_cast<float*>(exchange.isLast + 4);
    if (KeyPad != HEAD_DIM || ValuePad != VALUE_DIM) {
        // Columns beyond the head are never copied; they stay zero.
        for (int i = lane; i < STAGES * StageBytes / 16; i += 32) {
            reinterpret_cast<vec16*>(stages)[i] = vec16{0, 0, 0, 0};
        }
        __syncwarp();
    }
    u32 shared = shared_address(stages);
    Loader loader;
    loader.segment = segment;
    loader.tile = segment.first_tile(warp);
    loader.known = 0;
    loader.blocks = 0;
    loader.done = false;
    // What the kernel before this one does not write is read while that one still runs.
    bool waited = false;
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; stage++) {
        if (loader.find(batch, shares.taskCost, warp)) {
            if (!waited && !loader.is_old()) {
                wait_for_previous_kernel();
                waited = true;
            }
            loader.load(batch, keys, values, blockTables, blockTableStride, shared + stage * StageBytes, lane);
        }
        commit_copies();
    }
    if (!waited) {
        wait_for_previous_kernel();
    }

    Output result{output, outputStride, sinks};
    Partials parts{partials, reinterpret_cast<float2*>(partials + (i64)gridDim.x * 2 * TileRows * ValuePad)};
    float logScale = scale * SLUICE_LOG2E;
    int g = lane >> 2;
    int t = lane & 3;
    int stage = 0;
    do {
        const Sequence& sequence = segment.sequence;
        int rowCount = sequence.queryCount * GROUP;
        int packed0 = segment.rowTile * TileRows + g;
        int packed1 = packed0 + 8;
        bool valid0 = packed0 < rowCount;
        bool valid1 = packed1 < rowCount;
        // Rows that do not exist take the positions of the last one.
        int token0 = valid0 ? packed0 / GROUP : sequence.queryCount - 1;
        int token1 = valid1 ? packed1 / GROUP : sequence.queryCount - 1;
        u32 fragments[KeySteps][4];
        const act_t* first = queries + sequence.queryStart * queryStride + (i64)segment.kvHead * GROUP * HEAD_DIM;
        load_queries(fragments, first + token0 * queryStride + packed0 % GROUP * HEAD_DIM, valid0,
                     first + token1 * queryStride + packed1 % GROUP * HEAD_DIM, valid1, t);
        int end0 = sequence.context - sequence.queryCount + token0 + 1;
        int end1 = sequence.context - sequence.queryCount + token1 + 1;
        int begin0 = window > 0 ? end0 - window : 0;
        int begin1 = window > 0 ? end1 - window : 0;
        // Tokens that every row sees.
        int commonBegin = window > 0 ? sequence.context - window : 0;
        int commonEnd = sequence.context - sequence.queryCount + 1;

        RowSums rows;
        rows.clear();
        for (int tile = segment.first_tile(warp); tile < segment.tiles; tile += WARPS) {
            wait_copies<STAGES - 2>();
            __syncwarp();
            if (loader.find(batch, shares.taskCost, warp)) {
                int next = stage == 0 ? STAGES - 1 : stage - 1;
                loader.load(batch, keys, values, blockTables, blockTableStride, shared + next * StageBytes, lane);
            }
            commit_copies();
            u32 keyTile = shared + stage * StageBytes;
            stage = stage == STAGES - 1 ? 0 : stage + 1;

            float scores[2][4] = {};
            multiply_keys(scores, fragments, keyTile, lane);
            if (softCap > 0) {
                // cap * tanh(x / cap) * log2(e), with tanh(y) = 1 - 2 / (1 + e^2y): tanh.approx is off by 5e-4 of the score.
                float inner = 2 * logScale / softCap;
                float outer = softCap * SLUICE_LOG2E;
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    float power = exp2_fast(scores[i / 4][i % 4] * inner);
                    scores[i / 4][i % 4] = outer - 2 * outer * reciprocal_fast(1 + power);
                }
            } else {
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    scores[i / 4][i % 4] *= logScale;
                }
            }
            int token = segment.start + tile * TileTokens;
            if (token < commonBegin || token + TileTokens > commonEnd) {
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    int position = token + i / 4 * 8 + 2 * t + i % 2;
                    bool second = i % 4 >= 2;
                    bool visible = position >= (second ? begin1 : begin0) && position < (second ? end1 : end0);
                    scores[i / 4][i % 4] = visible ? scores[i / 4][i % 4] : SLUICE_NEGATIVE_INFINITY;
                }
            }
            u32 weights[4];
            rows.weigh(scores, weights);
            multiply_values(rows.values, weights, keyTile + TileTokens * KeyStride, lane);
        }
        finish_segment(rows, segment, shares, result, parts, counters, exchange, warp, lane);
    } while (segment.next(batch, shares.taskCost));
}
