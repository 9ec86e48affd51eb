// SPDX-License-Identifier: MIT
//
// What a call of the heap costs on this CPU, in instructions.
#ifndef KERNEL_DEMO_BENCH_HPP
#define KERNEL_DEMO_BENCH_HPP

#include "boot_info.h"

namespace demo {

// Runs the workloads of tests/bench, and prints for each what a pair of calls takes in the mean, and the
// longest calls; then the same with the kernel's own heap, on one CPU and, when all share it, on all. On a
// machine that does not count instructions it fails, and says so.
void run_bench(const boot_info& boot);

}  // namespace demo

#endif
