// Rotary embedding of queries (in place) and keys, and the write of rotated keys and values into the paged cache; with HEAD_NORM a root
// mean square norm of every query and key head before it, as in Norm/RmsNorm.cu, without a rounding in between.
//   queries     activations [tokens, QUERY_HEADS * HEAD_DIM], rows `...Stride` elements apart (as all rows here), changed in place.
//   keys        activations [tokens, KV_HEADS * HEAD_DIM], not changed.
//   values      activations [tokens, KV_HEADS * VALUE_DIM].
//   queryGain, keyGain   float32 [HEAD_DIM]; not read without HEAD_NORM.
//   cosines, sines   float32 [positionCount, ROTARY_DIM / 2], rows tableStride elements apart.
//   keyCache    cache_t [block][KV_HEADS][BLOCK_SIZE][HEAD_DIM], valueCache likewise with VALUE_DIM; slot = block * BLOCK_SIZE + offset.
// Element i < ROTARY_DIM / 2 of a head turns with element i + ROTARY_DIM / 2 in float32, rounded once: to the activation type in
// queries, to the cache's (CACHE_FP8: E4M3, saturating) in keys. Elements from ROTARY_DIM on pass through.
// A slot outside the cache is not written; a position outside the table turns a head to NaN, which sampling reports.
// Positions, slots, gains and the table are inputs of a step, written by no kernel right before this one: they are read before the wait for it.
// A thread works on VECTOR pairs of one head, or two vectors of its rest, or a vector of a value, at a time (VECTOR 8: all addresses,
// strides, head sizes and ROTARY_DIM / 2 are multiples of 8; 1: any, and HEAD_NORM is 0). blockDim.x threads, whole warps, share a
// token, blockDim.y tokens a block, grid over tokens. No aliasing but in place.
// samples: VECTOR=8 QUERY_HEADS=32 KV_HEADS=8 HEAD_DIM=128 VALUE_DIM=128 ROTARY_DIM=128 BLOCK_SIZE=16 CACHE_FP8=0 HEAD_NORM=0
// samples: VECTOR=8 QUERY_HEADS=32 KV_HEADS=8 HEAD_DIM=128 VALUE_DIM=128 ROTARY_DIM=128 BLOCK_SIZE=16 CACHE_FP8=1 HEAD_NORM=1
// samples: VECTOR=1 QUERY_HEADS=5 KV_HEADS=1 HEAD_DIM=80 VALUE_DIM=33 ROTARY_DIM=20 BLOCK_SIZE=16 CACHE_FP8=1 HEAD_NORM=0
#include "Async.cuh"
#include "Functions.cuh"
#include "Vectors.cuh"

#if CACHE_FP8
typedef fp8 cache_t;
#else
typedef act_t cache_t;
#endif

SLUICE_INLINE void store_cached(cache_t* address, const float (&values)[VECTOR]) {
#if !CACHE_FP8
    Vector<VECTOR> vector;
    narrow(vector, values);
    store(address, vector);
#elif VECTOR == 8
    *reinterpret_cast<vec8*>(address) =
        vec8{pack_fp8x4(values[0], values[1], values[2], values[3]), pack_fp8x4(values[4], values[5], values[6], values[7])};
#else
    from_float(values[0], *address);
#endif
}

SLUICE_INLINE void store_activations(act_t* address, const float (&values)[VECTOR]) {
    Vector<VECTOR> vector;
    narrow(vector, values);
    store(address, vector);
}

SLUICE_INLINE constexpr int next_power_of_two(int value) {
    int power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

SLUICE_INLINE constexpr int max_one(int value) { return value > 1 ? value : 1; }

// How the threads of a head share it: `turning` of them a vector of each half of what turns, the others two vectors of the rest.
enum {
    half = ROTARY_DIM / 2,
    turning = half / VECTOR,
    rest_vectors = (HEAD_DIM - ROTARY_DIM) / VECTOR,
    head_threads = turning + (rest_vectors + 1) / 2,
    // A norm's sum goes over a power of two of threads in one warp; without a norm nothing touches the rest of a query.
    key_threads = HEAD_NORM ? next_power_of_two(head_threads) : head_threads,
    query_threads = HEAD_NORM ? key_threads : turning,
    value_threads = VALUE_DIM / VECTOR,
    query_items = QUERY_HEADS * query_threads,
    head_items = query_items + KV_HEADS * key_threads,
    items = head_items + KV_HEADS * value_threads,
};

// The part of a head that a thread works on.
struct HeadPart {
    int first;
    int second;
    bool has_first;
    bool has_second;
    float x[VECTOR];
    float y[VECTOR];

    __device__ __forceinline__ void read(const act_t* head, int thread) {
        int rest = 2 * (thread - turning);
        bool turns = thread < turning;
        first = turns ? thread * VECTOR : ROTARY_DIM + rest * VECTOR;
        second = turns ? first + half : first + VECTOR;
        has_first = turns || rest < rest_vectors;
        has_second = turns || rest + 1 < rest_vectors;
        Vector<VECTOR> left{};
        Vector<VECTOR> right{};
        if (has_first) {
            load(left, head + first);
        }
        if (has_second) {
            load(right, head + second);
        }
        widen(x, left);
        widen(y, right);
    }

    __device__ __forceinline__ float square_sum() const {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < VECTOR; i++) {
            sum = multiply_add(x[i], x[i], sum);
            sum = multiply_add(y[i], y[i], sum);
        }
        return sum;
    }

    __device__ __forceinline__ void scale(float factor, const float* gain, float gain_offset) {
        float gains[VECTOR];
        if (has_first) {
            load_floats(gains, gain + first);
#pragma unroll
            for (int i = 0; i < VECTOR; i++) {
                x[i] *= factor * (gains[i] + gain_offset);
            }
        }
        if (has_second) {
            load_floats(gains, gain + second);
#pragma unroll
            for (int i = 0; i < VECTOR; i++) {
                y[i] *= factor * (gains[i] + gain_offset);
            }
        }
    }

    // x cos - y sin and y cos + x sin of each pair.
    __device__ __forceinline__ void turn(const float* cosines, const float* sines) {
        float cosine[VECTOR];
        float sine[VECTOR];
        load_floats(cosine, cosines + first);
        load_floats(sine, sines + first);
#pragma unroll
        for (int i = 0; i < VECTOR; i++) {
            float left = x[i];
            x[i] = left * cosine[i] - y[i] * sine[i];
            y[i] = y[i] * cosine[i] + left * sine[i];
        }
    }

    __device__ __forceinline__ void spoil() {
#pragma unroll
        for (int i = 0; i < VECTOR; i++) {
            x[i] = y[i] = bits_float(0x7fc00000u);
        }
    }
};

extern "C" __global__ void __launch_bounds__(512, 2)
rotate_and_write_kv(act_t* queries, const act_t* keys, const act_t* values, const float* queryGain, const float* keyGain,
                    const int* positions, const float* cosines, const float* sines, const int* slots, cache_t* keyCache,
                    cache_t* valueCache, int queryStride, int keyStride, int valueStride, int tableStride, int positionCount,
                    int slotCount, int tokens, float epsilon, float gainOffset) {
    i64 token = (i64)blockIdx.x * blockDim.y + threadIdx.y;
    bool exists = token < tokens;
    i64 slot = exists ? slots[token] : -1;
    bool cached = (u64)slot < (u64)slotCount;
    i64 cache_row = slot / BLOCK_SIZE * KV_HEADS * BLOCK_SIZE + slot % BLOCK_SIZE;  // of head 0; the next head is BLOCK_SIZE rows on
    i64 position = exists && ROTARY_DIM > 0 ? positions[token] : -1;
    bool known = (u64)position < (u64)positionCount;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (!exists) {
        return;
    }

    for (int begin = 0; begin < items; begin += blockDim.x) {
        int item = begin + threadIdx.x;
        bool is_query = item < query_items;
        HeadPart part;
        int head = 0;
        int thread = 0;
        if (item < head_items) {
            head = is_query ? item / max_one(query_threads) : (item - query_items) / key_threads;
            thread = is_query ? item % max_one(query_threads) : (item - query_items) % key_threads;
            part.read(is_query ? queries + token * queryStride + head * HEAD_DIM : keys + token * keyStride + head * HEAD_DIM, thread);
        }
#if HEAD_NORM
        // All threads of a warp take part, those without a head in vain: heads never share a group of key_threads.
        float sum = item < head_items ? part.square_sum() : 0.0f;
#pragma unroll
        for (int offset = key_threads / 2; offset > 0; offset >>= 1) {
            sum += __shfl_xor_sync(0xffffffffu, sum, offset);
        }
        if (item < head_items) {
            part.scale(reciprocal_root(sum / HEAD_DIM + epsilon), is_query ? queryGain : keyGain, gainOffset);
        }
#endif
        if (item < head_items) {
            if (thread < turning) {
                if (known) {
                    part.turn(cosines + position * tableStride, sines + position * tableStride);
                } else {
                    part.spoil();
                }
            }
            if (is_query) {
                act_t* target = queries + token * queryStride + head * HEAD_DIM;
                if (part.has_first) {
                    store_activations(target + part.first, part.x);
                }
                if (part.has_second) {
                    store_activations(target + part.second, part.y);
                }
            } else if (cached) {
                cache_t* target = keyCache + (cache_row + head * BLOCK_SIZE) * HEAD_DIM;
                if (part.has_first) {
                    store_cached(target + part.first, part.x);
                }
                if (part.has_second) {
                    store_cached(target + part.second, part.y);
                }
            }
        } else if (item < items && cached) {
            head = (item - head_items) / value_threads;
            int column = (item - head_items) % value_threads * VECTOR;
            Vector<VECTOR> vector;
            load(vector, values + token * valueStride + head * VALUE_DIM + column);
            float value[VECTOR];
            widen(value, vector);
            store_cached(valueCache + (cache_row + head * BLOCK_SIZE) * VALUE_DIM + column, value);
        }
    }
}
