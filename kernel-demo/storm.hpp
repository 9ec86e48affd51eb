// SPDX-License-Identifier: MIT
//
// The storm: all CPUs use the heap at once, in threads, in a timer's interrupts and in NMIs. They free
// their own blocks and each other's, and run out of memory now and then. In the end all of it must have
// come back.
#ifndef KERNEL_DEMO_STORM_HPP
#define KERNEL_DEMO_STORM_HPP

#include "boot_info.h"

namespace demo {

// Runs for about two seconds. "storm=..." has a CPU end it badly (misbehave.hpp).
void run_storm(const boot_info& boot);

}  // namespace demo

#endif
