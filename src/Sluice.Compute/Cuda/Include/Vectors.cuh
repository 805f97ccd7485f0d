// N consecutive activations as a thread moves them: 8 in one access of 16 bytes where addresses and row strides allow it, else 1.
#pragma once
#include "Types.cuh"

template <int N>
struct Vector;

template <>
struct Vector<8> {
    vec16 bits;
};

template <>
struct Vector<1> {
    act_t bits;
};

SLUICE_INLINE void load(Vector<8>& vector, const act_t* address) { vector.bits = load16(address); }

SLUICE_INLINE void load(Vector<1>& vector, const act_t* address) { vector.bits = *address; }

SLUICE_INLINE void store(act_t* address, const Vector<8>& vector) { store16(address, vector.bits); }

SLUICE_INLINE void store(act_t* address, const Vector<1>& vector) { *address = vector.bits; }

SLUICE_INLINE void widen(float (&values)[8], const Vector<8>& vector) { unpack8(vector.bits, values); }

SLUICE_INLINE void widen(float (&values)[1], const Vector<1>& vector) { values[0] = to_float(vector.bits); }

SLUICE_INLINE void narrow(Vector<8>& vector, const float (&values)[8]) { vector.bits = pack8(values); }

SLUICE_INLINE void narrow(Vector<1>& vector, const float (&values)[1]) { from_float(values[0], vector.bits); }

// Eight or one float32 values; address is a multiple of 16 bytes for eight.
SLUICE_INLINE void load_floats(float (&values)[8], const float* address) {
    vec16 low = load16(address);
    vec16 high = load16(address + 4);
    values[0] = bits_float(low.x);
    values[1] = bits_float(low.y);
    values[2] = bits_float(low.z);
    values[3] = bits_float(low.w);
    values[4] = bits_float(high.x);
    values[5] = bits_float(high.y);
    values[6] = bits_float(high.z);
    values[7] = bits_float(high.w);
}

SLUICE_INLINE void load_floats(float (&values)[1], const float* address) { values[0] = *address; }
