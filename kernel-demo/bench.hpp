// SPDX-License-Identifier: MIT
//
// What a call of the heap costs on this CPU, in instructions.
#ifndef KERNEL_DEMO_BENCH_HPP
#define KERNEL_DEMO_BENCH_HPP

namespace demo {

// Runs the workloads of tests/bench, and prints for each what a pair of calls takes in the mean, and the
// longest calls. On a machine that does not count instructions it fails, and says so.
void run_bench();

}  // namespace demo

#endif
