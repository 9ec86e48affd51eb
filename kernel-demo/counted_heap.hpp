// SPDX-License-Identifier: MIT
//
// A heap whose calls are counted, each by itself, from its first instruction to its return. What the kernel
// does between two calls is not counted, so there is no driver to subtract.
#ifndef KERNEL_DEMO_COUNTED_HEAP_HPP
#define KERNEL_DEMO_COUNTED_HEAP_HPP

#include <stddef.h>

#include "machine.h"
#include "slabheap/heap.hpp"

namespace demo {

// Checks, as a line of the log, that this machine counts instructions.
bool check_instruction_counter();

// Calls of one kind.
struct Tally {
    size_t instructions = 0;  // of all of them
    size_t longest = 0;       // of one
};

class CountedHeap {
public:
    void* allocate(size_t size);
    void free(void* block);
    void free_sized(void* block, size_t size);

    // The calls since the count was started.
    struct Counts {
        Tally allocations;
        Tally frees;
    };
    void start_count() { counts_ = {}; }
    const Counts& counts() const { return counts_; }

    // For calls that are not to be counted.
    slabheap::Heap& heap() { return heap_; }

private:
    slabheap::Heap heap_;
    Counts counts_;
};

}  // namespace demo

#endif
