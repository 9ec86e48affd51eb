// SPDX-License-Identifier: MIT
//
// The kernel's own heap under the bench: what its calls cost while one CPU has it for itself, and when all
// share it.
#ifndef KERNEL_DEMO_BENCH_CPUS_HPP
#define KERNEL_DEMO_BENCH_CPUS_HPP

#include "boot_info.h"
#include "counted_calls.hpp"

namespace demo {

// The first CPU alone; then the heap is told of all CPUs, and it alone again, while the others sleep; then
// all of them, each with its own blocks, and with each other's.
void bench_cpus(const boot_info& boot);

// The instructions of a pair of calls, in the mean: a number with one digit behind the point.
struct Mean {
    char text[16];
    explicit Mean(const CountedCalls::Counts& counts);
};

// The end of a record of them.
void record_counts(const CountedCalls::Counts& counts);

}  // namespace demo

#endif
