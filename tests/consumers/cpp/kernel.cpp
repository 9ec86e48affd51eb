// SPDX-License-Identifier: MIT
//
// A kernel in C++: the heap is an object, which lies zeroed in .bss and needs no constructor.
#include <slabheap/heap.hpp>

#include "pc.h"

// Your kernel takes its memory from the loader's map.
alignas(SLAB_PAGE_SIZE) static unsigned char memory[64 * 1024];

static slabheap::Heap heap;

extern "C" void kernel_main() {
    int const status = heap.init(memory, sizeof memory);
    if (status != SLAB_OK) panic(slab_status_string(status));

    constexpr auto layout = slabheap::Layout::of<long>(100);
    void* const block = heap.allocate(layout);
    if (block == nullptr) panic("no memory");
    heap.deallocate(block, layout);

    print("cpp: allocated and freed");
    finish(PASSED);
}
