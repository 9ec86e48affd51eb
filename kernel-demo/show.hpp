// SPDX-License-Identifier: MIT
//
// The heap, as a person sees it; all of it from the public calls of slabheap.h and the boot record.
#ifndef KERNEL_DEMO_SHOW_HPP
#define KERNEL_DEMO_SHOW_HPP

#include "boot_info.h"
#include "heap_map.hpp"
#include "slabheap/slabheap.h"

namespace demo {

// Every range of memory, and what became of it.
void show_memory_map(const boot_info& boot);

// Total, used, available, page maps.
void show_figures(const boot_info& boot);

// All figures, as an object of the record that is open.
void record_figures(const char* name, const slab_stats& stats);

// How much of the heap is in use.
inline size_t percent_used(const slab_stats& stats) {
    return stats.used_bytes / (stats.total_bytes / 100);
}

// One row per size class.
void show_classes();

// The regions as maps of characters, one after the other in `map`.
void show_picture(const boot_info& boot, HeapMap& map);

}  // namespace demo

#endif
