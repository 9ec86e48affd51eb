// SPDX-License-Identifier: MIT
//
// The bad ends, on request: they show that whoever runs this kernel notices them, and what it reports.
#ifndef KERNEL_DEMO_MISBEHAVE_HPP
#define KERNEL_DEMO_MISBEHAVE_HPP

#include "boot_info.h"

namespace demo {

// Does what the command line says: "hang", "fail", "reset", "panic", "crash" or one of the crashes
// "crash=...".
void misbehave_as_told(const boot_info& boot);

// What one CPU is to do in the midst of a storm, as the command line says: "storm=panic", "storm=stack" (it
// overflows), "storm=misuse" (of the heap), "storm=hang", or "storm=call" (it hangs in a call of the heap,
// with interrupts off). Null: nothing.
using Mischief = void (*)();
Mischief mischief_of(const boot_info& boot);

}  // namespace demo

#endif
