// SPDX-License-Identifier: MIT
//
// How many instructions one call takes, exactly: the processor's trap flag raises a signal after each of
// them. Unlike a tracing parent this needs no permission and no switch between processes, and unlike
// callgrind it works in a heap of any size. x86-64 only.
#ifndef SLABHEAP_BENCH_STEP_HPP
#define SLABHEAP_BENCH_STEP_HPP

#include <cstdint>

namespace slabheap::bench {

using Function = uintptr_t (*)(void* peer, uintptr_t first, uintptr_t second);

struct Stepped {
    uintptr_t result;
    uint64_t instructions;  // from the function's first one to its return, both included; in the kernel: none
};

// `function` is one that jumps to what is measured; the jump does not count.
Stepped step(Function function, void* peer, uintptr_t first, uintptr_t second);

// The same from one place to another.
void start_stepping();
uint64_t stop_stepping();

}  // namespace slabheap::bench

#endif
