// Ids of tokens that only the device knows yet: an id of -1 - slot becomes lastSampled[slot], in place; others stay.
//   tokenIds      int32 [count].
//   lastSampled   int32 [slots]. An id whose slot is not there stays negative.
#include "Async.cuh"
#include "Types.cuh"

extern "C" __global__ void __launch_bounds__(256)
resolve_token_ids(int* tokenIds, const int* lastSampled, int count, int slots) {
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    wait_for_previous_kernel();
    let_next_kernel_start();
    if (index < count) {
        int id = tokenIds[index];
        int slot = -1 - id;
        if (id < 0 && slot < slots) {
            tokenIds[index] = lastSampled[slot];
        }
    }
}
