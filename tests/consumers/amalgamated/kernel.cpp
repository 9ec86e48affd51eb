// SPDX-License-Identifier: MIT
//
// A kernel with the library's two files among its own: no archive, and both faces of the heap.
#include "slabheap.h"

#include "pc.h"

// Your kernel takes its memory from the loader's map.
alignas(SLAB_PAGE_SIZE) static unsigned char memory[2][64 * 1024];

static slabheap::Heap own_heap;

extern "C" void kernel_main() {
    int status = slab_heap_init(memory[0], sizeof memory[0]);
    if (status == SLAB_OK) status = own_heap.init(memory[1], sizeof memory[1]);
    if (status != SLAB_OK) panic(slab_status_string(status));

    void* const block = slab_alloc(100, 8);
    void* const own_block = own_heap.allocate({100, 8});
    if (block == nullptr || own_block == nullptr) panic("no memory");
    slab_free(block);
    own_heap.deallocate(own_block);

    print("amalgamated: allocated and freed");
    finish(PASSED);
}
