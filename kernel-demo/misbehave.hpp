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

}  // namespace demo

#endif
