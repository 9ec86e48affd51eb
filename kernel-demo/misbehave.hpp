// SPDX-License-Identifier: MIT
//
// The bad ends, on request: they show that whoever runs this kernel notices them, and what it reports.
#ifndef KERNEL_DEMO_MISBEHAVE_HPP
#define KERNEL_DEMO_MISBEHAVE_HPP

#include "boot_info.h"
#include "shared_heap.hpp"

namespace demo {

// Does what the command line says: "hang", "fail", "reset", "panic", "crash" or one of the crashes
// "crash=...".
void misbehave_as_told(const boot_info& boot);

// What one CPU is to do in the midst of a storm, as the command line says: "storm=panic", "storm=stack" (it
// overflows), "storm=misuse" (of the storm's heap), "storm=hang", or "storm=lock" (it hangs in a call of the
// heap). Null: nothing.
using Mischief = void (*)(SharedHeap&);
Mischief mischief_of(const boot_info& boot);

}  // namespace demo

#endif
