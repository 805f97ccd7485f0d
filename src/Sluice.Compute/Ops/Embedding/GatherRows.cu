// output[i] = input[rows[i]], elements of any type: strides and width are in bytes. A row outside the input gives zeros.
//   output, input   rows `...StrideBytes` apart; they do not alias.
//   rows            int32, one for each row of the output.
// A thread copies UNIT bytes (16, 8, 4, 2 or 1: the largest that addresses, strides and the width are multiples of); grid (rows, parts of a row).
// samples: UNIT=16 | UNIT=8 | UNIT=4 | UNIT=2 | UNIT=1
#include "Async.cuh"
#include "Types.cuh"

#if UNIT == 16
typedef vec16 unit_t;
#elif UNIT == 8
typedef vec8 unit_t;
#elif UNIT == 4
typedef u32 unit_t;
#elif UNIT == 2
typedef u16 unit_t;
#else
typedef u8 unit_t;
#endif

extern "C" __global__ void __launch_bounds__(256)
gather_rows(u8* output, const u8* input, const int* rows, i64 outputStrideBytes, i64 inputStrideBytes, int widthBytes, int inputRows) {
    i64 row = blockIdx.x;
    int offset = (blockIdx.y * blockDim.x + threadIdx.x) * UNIT;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (offset >= widthBytes) {
        return;
    }
    i64 source = rows[row];
    unit_t value{};
    if ((u64)source < (u64)inputRows) {
        value = *reinterpret_cast<const unit_t*>(input + source * inputStrideBytes + offset);
    }
    *reinterpret_cast<unit_t*>(output + row * outputStrideBytes + offset) = value;
}
