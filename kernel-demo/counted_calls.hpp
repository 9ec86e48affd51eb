// SPDX-License-Identifier: MIT
//
// Calls of a heap that are counted, each by itself, from its first instruction to its return. What the
// kernel does between two calls is not counted, so there is no driver to subtract.
#ifndef KERNEL_DEMO_COUNTED_CALLS_HPP
#define KERNEL_DEMO_COUNTED_CALLS_HPP

#include <stddef.h>

#include "machine.h"
#include "slabheap/heap.hpp"

namespace demo {

// Checks, as a line of the log, that this machine counts instructions.
bool check_instruction_counter();

// Calls of one kind.
struct Tally {
    size_t calls = 0;
    size_t instructions = 0;  // of all of them
    size_t longest = 0;       // of one

    Tally& operator+=(const Tally& other) {
        calls += other.calls;
        instructions += other.instructions;
        if (longest < other.longest) longest = other.longest;
        return *this;
    }
};

class CountedCalls {
public:
    // A heap's methods; without a heap, the functions of the kernel's.
    explicit CountedCalls(slabheap::Heap* heap = nullptr) : heap_(heap) {}

    void* allocate(size_t size);
    void free(void* block);
    void free_sized(void* block, size_t size);

    // The calls since the count was started.
    struct Counts {
        Tally allocations;
        Tally frees;

        Counts& operator+=(const Counts& other) {
            allocations += other.allocations;
            frees += other.frees;
            return *this;
        }
    };
    void start_count() { counts_ = {}; }
    const Counts& counts() const { return counts_; }

    // A call during which this number changes is left out: another CPU ran, and the machine counts its
    // instructions, too.
    void watch(const size_t& others) { others_ = &others; }

private:
    void* count(counted_call call, Tally& tally);

    slabheap::Heap* heap_;
    const size_t* others_ = nullptr;
    Counts counts_;
};

}  // namespace demo

#endif
