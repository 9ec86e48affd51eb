// SPDX-License-Identifier: MIT
//
// The CPUs that call the C ABI: one thread plays them all, one call after the other, in whatever context. The
// hooks notice what the library must not do: wait for somebody, ask for its CPU while it could be moved to
// another, keep interrupts off.
#ifndef SLABHEAP_FUZZ_CPUS_HPP
#define SLABHEAP_FUZZ_CPUS_HPP

#include "played_cpu/hooks.h"

namespace slabheap::fuzz {

// Who calls next.
struct Caller {
    size_t index;
    cpu_context context;
};
inline Caller caller;

// No lock is held, interrupts are on; and, between calls, the thread may be moved.
void expect_no_lock();
void expect_at_rest();

}  // namespace slabheap::fuzz

#endif
