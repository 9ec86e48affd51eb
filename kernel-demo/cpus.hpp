// SPDX-License-Identifier: MIT
//
// The CPUs of the machine, and the heap that they share from then on: two lines of the log.
#ifndef KERNEL_DEMO_CPUS_HPP
#define KERNEL_DEMO_CPUS_HPP

#include <stddef.h>

#include "boot_info.h"

namespace demo {

// Starts all of them, and checks that each has. "cpu=absent" has one started that is not there. They may
// not use the heap yet.
void start_cpus(const boot_info& boot);

// Tells the heap of them. "barrier=none" keeps from it how to make them pass a barrier.
void share_heap(const boot_info& boot);

// What that has taken of the heap's memory, for good.
size_t shared_heap_bytes();

}  // namespace demo

#endif
