// SPDX-License-Identifier: MIT
//
// What came of a storm: the CPUs' table, and the checks of the heap after it.
#ifndef KERNEL_DEMO_STORM_REPORT_HPP
#define KERNEL_DEMO_STORM_REPORT_HPP

#include <stddef.h>

#include "slabheap/slabheap.h"
#include "storm_cpu.hpp"

namespace demo {

// A row for each of the CPUs, in the log and the record.
void show_storm_table(const StormCpu cpus[], size_t count);

// Checks what the CPUs have found, and that all memory has come back since the heap had those figures.
void check_storm_blocks(const StormTally& sum, size_t shortages);
void check_storm_books(const StormTally& sum, const slab_stats& before);

}  // namespace demo

#endif
