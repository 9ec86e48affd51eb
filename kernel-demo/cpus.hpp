// SPDX-License-Identifier: MIT
//
// The CPUs of the machine, as a line of the log.
#ifndef KERNEL_DEMO_CPUS_HPP
#define KERNEL_DEMO_CPUS_HPP

#include "boot_info.h"

namespace demo {

// Starts all of them, and checks that each has. "cpu=absent" has one started that is not there.
void start_cpus(const boot_info& boot);

}  // namespace demo

#endif
