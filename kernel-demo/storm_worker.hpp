// SPDX-License-Identifier: MIT
//
// A worker: what one CPU does with the heap in one context. Nobody else touches it while it works, so it
// needs no lock; what workers share is the heap, and mailboxes with room for a block each. A worker fills a
// block, keeps it for a while, then frees it, or leaves it in a mailbox and frees what it finds there,
// which mostly is another's. What is freed must be as it was filled.
//
// What a thread or an interrupt handler asks slab_alloc for must be granted, unless there is a shortage;
// who is refused then asks no more until it is over. An NMI may be refused at any time, and so may who asks
// slab_try_alloc: handlers use either.
#ifndef KERNEL_DEMO_STORM_WORKER_HPP
#define KERNEL_DEMO_STORM_WORKER_HPP

#include <stddef.h>
#include <stdint.h>

#include "counter.hpp"
#include "hooks.h"
#include "random.hpp"
#include "shortage.hpp"
#include "storm_tally.hpp"

namespace demo {

struct StormBlock;

class StormWorker {
public:
    // To be called first.
    void start(const Shortages& shortages, size_t cpu, cpu_context context);
    // Allocates a block, or gets rid of one. False: it asks for none now.
    bool step();
    // Frees all of its blocks.
    void finish();
    // Frees what is in all mailboxes. For one worker, when the others have finished.
    void empty_mailboxes();

    // Any CPU may ask at any time.
    StormTally tally() const;

private:
    static constexpr size_t most_blocks = 32;

    StormBlock* allocate(Shortages::Moment before);
    void refuse(Shortages::Moment before, bool tried);
    void free(StormBlock* block);

    const Shortages* shortages_ = nullptr;
    Random random_;
    cpu_context context_ = CONTEXT_THREAD;
    size_t refused_in_ = 0;  // the last shortage in which it was refused
    uintptr_t mark_ = 0;     // which worker this is: the lower part of its blocks' seals
    StormBlock* blocks_[most_blocks] = {};
    Counter allocations_;
    Counter tries_;
    Counter frees_;
    Counter frees_for_others_;
    Counter refusals_;
    Counter failures_;
    const void* damaged_ = nullptr;
};

}  // namespace demo

#endif
