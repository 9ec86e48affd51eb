// SPDX-License-Identifier: MIT
//
// A walk through a workload, step by step: once to put into use what it needs of the page map, once to be
// counted. CPUs that walk together, step by step in turns, each use blocks of their own, or pass them
// round: then each block is freed by another CPU than the one that has allocated it.
#ifndef KERNEL_DEMO_BENCH_WALK_HPP
#define KERNEL_DEMO_BENCH_WALK_HPP

#include <stddef.h>

#include "bench_rows.hpp"
#include "counted_calls.hpp"

namespace demo {

struct Slot {
    void* block;
    size_t size;
};

enum class FreeForm { plain, sized };

// CPUs that walk together.
struct Company {
    size_t cpus;
    bool passes_blocks;
};
constexpr Company alone = {1, false};

class Walk {
public:
    // So many pairs of an allocation and a free, rounded up to whole batches, each time. slots: most_live
    // of them for each CPU of the company, in which this one has that index.
    Walk(const Row& row, size_t pairs, FreeForm form, CountedCalls& calls, Slot* slots,
         Company company = alone, size_t cpu = 0);

    // False: there was none left.
    bool step();
    // When there is none left: what the second walk's calls took.
    const CountedCalls::Counts& counts() const { return counts_; }
    size_t pairs() const { return pairs_; }

private:
    bool step_replacing();
    bool step_in_batches();
    Slot* slots_of(size_t distance) const;  // of the CPU that is so far behind this one
    void allocate(Slot& slot);
    void free(const Slot& slot);
    void shuffle(Slot* slots);

    const Row& row_;
    size_t pairs_;
    FreeForm form_;
    CountedCalls& calls_;
    Slot* slots_;
    Company company_;
    size_t cpu_;
    Random random_;
    size_t steps_ = 0;
    CountedCalls::Counts counts_;
};

}  // namespace demo

#endif
