// SPDX-License-Identifier: MIT
//
// A worker: what one CPU does with the shared heap in one context. Nobody else touches it while it works, so
// it needs no lock; what workers share is the heap, and mailboxes with room for a block each. A worker fills
// a block, keeps it for a while, then frees it, or leaves it in a mailbox and frees what it finds there,
// which mostly is another's. What is freed must be as it was filled.
#ifndef KERNEL_DEMO_STORM_WORKER_HPP
#define KERNEL_DEMO_STORM_WORKER_HPP

#include <stddef.h>
#include <stdint.h>

#include "counter.hpp"
#include "random.hpp"
#include "shared_heap.hpp"

namespace demo {

struct StormBlock;

class StormWorker {
public:
    // To be called first.
    void start(SharedHeap& heap, size_t cpu, cpu_context context);
    // Allocates a block, or gets rid of one.
    void step();
    // Frees all of its blocks.
    void finish();
    // Frees what is in all mailboxes. For one worker, when the others have finished.
    void empty_mailboxes();

    struct Tally {
        size_t allocations;
        size_t frees;
        size_t frees_for_others;  // of other CPUs' blocks
        size_t failures;          // requests that were not granted
        const void* damaged;      // the first block that was not as it was filled
    };
    // Any CPU may ask at any time.
    Tally tally() const;

private:
    static constexpr size_t most_blocks = 32;

    StormBlock* allocate();
    void free(StormBlock* block);

    SharedHeap* heap_ = nullptr;
    Random random_;
    uintptr_t mark_ = 0;  // which worker this is: the lower part of its blocks' seals
    StormBlock* blocks_[most_blocks] = {};
    Counter allocations_;
    Counter frees_;
    Counter frees_for_others_;
    Counter failures_;
    const void* damaged_ = nullptr;
};

}  // namespace demo

#endif
