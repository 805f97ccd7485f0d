// Rotary embedding of queries (in place) and keys, and the write of rotated keys and values into the paged cache.
//   queries     activations [tokens, QUERY_HEADS * HEAD_DIM], rows `...Stride` elements apart (as all rows here), rotated in place.
//   keys        activations [tokens, KV_HEADS * HEAD_DIM], not changed.
//   values      activations [tokens, KV_HEADS * VALUE_DIM].
//   cosines, sines   float32 [positionCount, ROTARY_DIM / 2], rows tableStride elements apart.
//   keyCache    cache_t [block][KV_HEADS][BLOCK_SIZE][HEAD_DIM], valueCache likewise with VALUE_DIM; slot = block * BLOCK_SIZE + offset.
// Element i < ROTARY_DIM / 2 of a head turns with element i + ROTARY_DIM / 2 in float32, rounded once: to the activation type in
// queries, to the cache's (CACHE_FP8: E4M3, saturating) in keys. Elements from ROTARY_DIM on pass through.
// A slot outside the cache is not written; a position outside the table turns a head to NaN, which sampling reports.
// Positions, slots and the table are inputs of a step, written by no kernel right before this one: they are read before the wait for it.
// A thread works on VECTOR elements, or VECTOR pairs, of one head at a time (8: all addresses, strides, head sizes and ROTARY_DIM / 2
// are multiples of 8; 1: any); blockDim.x threads share a token, blockDim.y tokens a block, grid over tokens. No aliasing but in place.
// samples: VECTOR=8 QUERY_HEADS=32 KV_HEADS=8 HEAD_DIM=128 VALUE_DIM=128 ROTARY_DIM=128 BLOCK_SIZE=16 CACHE_FP8=0 | VECTOR=8 QUERY_HEADS=32 KV_HEADS=8 HEAD_DIM=128 VALUE_DIM=128 ROTARY_DIM=128 BLOCK_SIZE=16 CACHE_FP8=1 | VECTOR=1 QUERY_HEADS=5 KV_HEADS=1 HEAD_DIM=80 VALUE_DIM=33 ROTARY_DIM=20 BLOCK_SIZE=16 CACHE_FP8=1
#include "Async.cuh"
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

struct Angles {
    float cosines[VECTOR];
    float sines[VECTOR];

    // x cos - y sin and y cos + x sin of VECTOR pairs.
    __device__ __forceinline__ void turn(float (&first)[VECTOR], float (&second)[VECTOR]) const {
#pragma unroll
        for (int i = 0; i < VECTOR; i++) {
            float x = first[i];
            float y = second[i];
            first[i] = x * cosines[i] - y * sines[i];
            second[i] = y * cosines[i] + x * sines[i];
        }
    }
};

extern "C" __global__ void rotate_and_write_kv(act_t* queries, const act_t* keys, const act_t* values, const int* positions,
                                               const float* cosines, const float* sines, const int* slots, cache_t* keyCache,
                                               cache_t* valueCache, int queryStride, int keyStride, int valueStride, int tableStride,
                                               int positionCount, int slotCount, int tokens) {
    constexpr int half = ROTARY_DIM / 2;
    constexpr int in_head = half / VECTOR;
    constexpr int passing = (HEAD_DIM - ROTARY_DIM) / VECTOR;
    constexpr int in_value = VALUE_DIM / VECTOR;
    // Work items of a token, longest first: pairs of queries, pairs of keys, rests of keys, values.
    constexpr int query_items = QUERY_HEADS * in_head;
    constexpr int key_items = KV_HEADS * in_head;
    constexpr int rest_items = KV_HEADS * passing;
    constexpr int items = query_items + key_items + rest_items + KV_HEADS * in_value;

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

    for (int item = threadIdx.x; item < items; item += blockDim.x) {
        if (in_head > 0 && item < query_items + key_items) {
            int head = item / (in_head > 0 ? in_head : 1);
            int column = item % (in_head > 0 ? in_head : 1) * VECTOR;
            bool is_query = item < query_items;
            int kv_head = head - QUERY_HEADS;
            const act_t* source = is_query ? queries + token * queryStride + head * HEAD_DIM + column
                                           : keys + token * keyStride + kv_head * HEAD_DIM + column;
            Vector<VECTOR> first;
            Vector<VECTOR> second;
            load(first, source);
            load(second, source + half);
            Angles angles;
            if (known) {
                load_floats(angles.cosines, cosines + position * tableStride + column);
                load_floats(angles.sines, sines + position * tableStride + column);
            } else {
#pragma unroll
                for (int i = 0; i < VECTOR; i++) {
                    angles.cosines[i] = angles.sines[i] = bits_float(0x7fc00000u);
                }
            }
            float x[VECTOR];
            float y[VECTOR];
            widen(x, first);
            widen(y, second);
            angles.turn(x, y);
            if (is_query) {
                act_t* target = queries + token * queryStride + head * HEAD_DIM + column;
                narrow(first, x);
                narrow(second, y);
                store(target, first);
                store(target + half, second);
            } else if (cached) {
                cache_t* target = keyCache + (cache_row + kv_head * BLOCK_SIZE) * HEAD_DIM + column;
                store_cached(target, x);
                store_cached(target + half, y);
            }
        } else if (cached) {
            int rest = item - query_items - key_items;
            bool is_key = passing > 0 && rest < rest_items;
            int index = is_key ? rest : rest - rest_items;
            int head = is_key ? index / (passing > 0 ? passing : 1) : index / in_value;
            int column = is_key ? ROTARY_DIM + index % (passing > 0 ? passing : 1) * VECTOR : index % in_value * VECTOR;
            const act_t* source = is_key ? keys + token * keyStride + head * HEAD_DIM + column
                                         : values + token * valueStride + head * VALUE_DIM + column;
            cache_t* target = is_key ? keyCache + (cache_row + head * BLOCK_SIZE) * HEAD_DIM + column
                                     : valueCache + (cache_row + head * BLOCK_SIZE) * VALUE_DIM + column;
            Vector<VECTOR> vector;
            load(vector, source);
            float x[VECTOR];
            widen(x, vector);
            store_cached(target, x);
        }
    }
}
