// SPDX-License-Identifier: MIT
//
// What each CPU has of its own in a storm: a worker for each context, its part in shortages, and how often
// it was interrupted.
#ifndef KERNEL_DEMO_STORM_CPU_HPP
#define KERNEL_DEMO_STORM_CPU_HPP

#include <stddef.h>

#include "counter.hpp"
#include "hooks.h"
#include "shortage.hpp"
#include "storm_tally.hpp"
#include "storm_worker.hpp"

namespace demo {

struct alignas(64) StormCpu {
    StormWorker workers[CONTEXTS];
    Hoarder hoarder;
    Counter steps;  // of its thread
    size_t steps_at_interrupt = 0;
    Counter interrupts;
    Counter nmis;
    bool takes_part = true;  // what interrupts it may use the heap

    // What it has done, in all contexts. Any CPU may ask at any time.
    StormTally tally() const {
        StormTally sum = hoarder.tally();
        for (const StormWorker& worker : workers) sum += worker.tally();
        return sum;
    }
    StormTally tally(cpu_context context) const { return workers[context].tally(); }
};

}  // namespace demo

#endif
