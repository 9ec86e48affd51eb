// SPDX-License-Identifier: MIT
//
// What somebody has done with the heap in a storm.
#ifndef KERNEL_DEMO_STORM_TALLY_HPP
#define KERNEL_DEMO_STORM_TALLY_HPP

#include <stddef.h>

namespace demo {

struct StormTally {
    size_t allocations = 0;  // that were granted
    size_t tries = 0;        // of those, by slab_try_alloc
    size_t frees = 0;
    size_t frees_for_others = 0;    // of other CPUs' blocks
    size_t refusals = 0;            // allocations that were not granted,
    size_t failures = 0;            // and of those, the ones that should have been
    const void* damaged = nullptr;  // the first block that was not as it was filled

    size_t operations() const { return allocations + frees; }

    StormTally& operator+=(const StormTally& other) {
        allocations += other.allocations;
        tries += other.tries;
        frees += other.frees;
        frees_for_others += other.frees_for_others;
        refusals += other.refusals;
        failures += other.failures;
        if (damaged == nullptr) damaged = other.damaged;
        return *this;
    }
};

}  // namespace demo

#endif
