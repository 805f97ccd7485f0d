// A thread's part of one row (or group of columns) of a norm, kept in registers from the first read to the last write.
#pragma once
#include "Functions.cuh"
#include "Vectors.cuh"

// What a thread holds: vectors first, first + step, first + 2 * step ... of a group.
template <int count, int step>
struct RowPart {
    enum { vectors = WIDTH / VECTOR };

    Vector<VECTOR> x[count];
    int first;

    // True at compile time where the vectors fill all threads.
    __device__ __forceinline__ bool has(int k) const { return vectors % (count * step) == 0 || first + k * step < vectors; }

    __device__ __forceinline__ int column(int k) const { return (first + k * step) * VECTOR; }

    __device__ __forceinline__ void read(const act_t* row) {
#pragma unroll
        for (int k = 0; k < count; k++) {
            if (has(k)) {
                load(x[k], row + column(k));
            }
        }
    }

    __device__ __forceinline__ void add(act_t* row, const act_t* addend) {
        Vector<VECTOR> other[count];
#pragma unroll
        for (int k = 0; k < count; k++) {
            if (has(k)) {
                load(other[k], addend + column(k));
            }
        }
#pragma unroll
        for (int k = 0; k < count; k++) {
            if (has(k)) {
                float left[VECTOR];
                float right[VECTOR];
                widen(left, x[k]);
                widen(right, other[k]);
#pragma unroll
                for (int i = 0; i < VECTOR; i++) {
                    left[i] += right[i];
                }
                narrow(x[k], left);
                store(row + column(k), x[k]);
            }
        }
    }

    __device__ __forceinline__ float square_sum(int k) const {
        float sum = 0.0f;
        if (has(k)) {
            float values[VECTOR];
            widen(values, x[k]);
#pragma unroll
            for (int i = 0; i < VECTOR; i++) {
                sum = multiply_add(values[i], values[i], sum);
            }
        }
        return sum;
    }

    __device__ __forceinline__ void read_gain(float (&gains)[VECTOR], const float* gain, int k) const {
        if (has(k)) {
            load_floats(gains, gain + column(k));
        }
    }

    __device__ __forceinline__ void write(act_t* row, int k, float factor, const float (&gains)[VECTOR], float gain_offset) const {
        if (has(k)) {
            float values[VECTOR];
            widen(values, x[k]);
#pragma unroll
            for (int i = 0; i < VECTOR; i++) {
                values[i] = values[i] * factor * (gains[i] + gain_offset);
            }
            Vector<VECTOR> result;
            narrow(result, values);
            store(row + column(k), result);
        }
    }
};
