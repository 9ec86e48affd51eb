// SPDX-License-Identifier: MIT
//
// A watchdog over CPUs that work together. Each says again and again that it gets on; and each that waits, or
// is interrupted by its timer, looks at all the others. So it bites even if one hangs with interrupts off,
// and the others wait for what that one holds.
#ifndef KERNEL_DEMO_WATCHDOG_HPP
#define KERNEL_DEMO_WATCHDOG_HPP

namespace demo {

// From now on all CPUs are watched: one that does not get on for ten seconds, or longer if there are many,
// ends the boot, with a report of where each CPU is.
void watch_all();

// This CPU gets on.
void get_on();

// This CPU is done, and not watched any more.
void leave_watch();

// Looks whether all CPUs get on. Any context but an NMI's.
void look_at_others();

// For each turn of a loop that waits for another CPU.
void wait_for_others();

}  // namespace demo

#endif
