// SPDX-License-Identifier: MIT
//
// The heap, as a person sees it; all of it from the public calls of slabheap.h and the boot record.
#ifndef KERNEL_DEMO_SHOW_HPP
#define KERNEL_DEMO_SHOW_HPP

#include "boot_info.h"

namespace demo {

// Every range of memory, and what became of it.
void show_memory_map(const boot_info& boot);

// Total, used, available, page maps.
void show_figures(const boot_info& boot);

// One row per size class.
void show_classes();

// The regions as maps of characters.
void show_picture(const boot_info& boot);

}  // namespace demo

#endif
