// SPDX-License-Identifier: MIT
//
// Each kind of misuse that tests/misuse knows, tried on this machine: what becomes of it is a line of the
// log.
#ifndef KERNEL_DEMO_MISUSE_TRIALS_HPP
#define KERNEL_DEMO_MISUSE_TRIALS_HPP

#include "boot_info.h"

namespace demo {

// Which outcome is right depends on the archive's defences, so it is for who reads the log to say; here a
// check fails when a report is wrong.
void try_misuse(const boot_info& boot);

}  // namespace demo

#endif
