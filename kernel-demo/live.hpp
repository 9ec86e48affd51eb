// SPDX-License-Identifier: MIT
//
// The heap under a kernel's load, on the screen and in the log.
#ifndef KERNEL_DEMO_LIVE_HPP
#define KERNEL_DEMO_LIVE_HPP

#include "boot_info.h"

namespace demo {

// Runs a workload for a while; with "keys" on the command line until the keyboard says to quit. With
// "pose" the picture stays on the screen until a key is pressed.
void show_heap_at_work(const boot_info& boot);

}  // namespace demo

#endif
